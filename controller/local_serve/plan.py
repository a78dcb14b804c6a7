"""What is run and where: commands, ports and paths, decided without starting anything."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, TemplateError

from controller.local_serve import ServeError

LOOPBACK = "127.0.0.1"
PORT_VARIABLE = "SERVE_PORT"
PREFERRED_PORT = 8080
PORT_ATTEMPTS = 200
UWSGI_TEMPLATE = "templates/etc/tox_com_det/uwsgi.ini.j2"
UWSGI_DEFAULTS = "roles/flask_app/defaults/main.yml"
# Options of uwsgi.ini for nginx' socket and for the list of processes of a server.
SERVERS_OWN = ("socket", "chmod-socket", "vacuum", "procname-prefix-spaced")


@dataclass(frozen=True)
class Places:
    """Where everything is; all that is written is below `state`.

    Attributes:
        checkout: the checkout that is served.
        state: bundle, database, logs and the lock, `build/serve` by default.
    """

    checkout: Path
    state: Path

    @property
    def bundle(self) -> Path:
        """The sample model's bundle."""
        return self.state / "bundle"

    @property
    def database(self) -> Path:
        """The database's storage."""
        return self.state / "database"

    @property
    def ini(self) -> Path:
        """uWSGI's configuration."""
        return self.state / "uwsgi.ini"

    @property
    def lock(self) -> Path:
        """Held as long as something serves from `state`; says where."""
        return self.state / "lock"

    def log(self, name: str) -> Path:
        """Where one process writes its lines."""
        return self.state / "log" / f"{name}.log"


def program(names: tuple[str, ...], remedy: str, beside: Path | None = None) -> str:
    """Path of the first of these programs, of this environment or else on PATH.

    Raises:
        ServeError: none is here; ends with `remedy`.
    """
    directory = beside or Path(sys.prefix, "bin")
    for name in names:
        if (directory / name).is_file():
            return str(directory / name)
    for name in names:
        if found := shutil.which(name):
            return found
    raise ServeError(f"{names[0]} is not in {directory}: {remedy}")


def database_command(binary: str, port: int, storage: Path) -> list[str]:
    """SecantusDB on loopback; without a limit its log would take 2 GB in advance."""
    return [
        binary,
        f"--host={LOOPBACK}",
        f"--port={port}",
        f"--storage-path={storage}",
        "--standalone",
        "--cache-size=64M",
        "--log-file-max=8MB",
        "--oplog-max-entries=1000",
    ]


def restore_command(python: str, bundle: Path) -> list[str]:
    """The restorer that runs on a server too."""
    return [
        python,
        "-m",
        "tox_com_det.store.restore",
        "--dump",
        str(bundle / "dump"),
        "--manifest",
        str(bundle / "manifest.json"),
        # What mongorestore finds on PATH would decide otherwise how this machine restores.
        "--tool",
        "pymongo",
    ]


def app_ini(template: str, defaults: Mapping[str, Any], port: int) -> str:
    """uWSGI's configuration: a server's own, but HTTP on loopback in place of nginx' socket.

    Args:
        template: text of templates/etc/tox_com_det/uwsgi.ini.j2.
        defaults: variables of the role that places it.
        port: where to listen.

    Raises:
        ServeError: the template wants more than the role's defaults.
    """
    jinja = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701 (no HTML)
    jinja.filters["comment"] = lambda text: f"# {text}"
    header = "A server's uwsgi.ini, adapted by `make serve` at each start"
    try:
        text = jinja.from_string(template).render(defaults, ansible_managed=header)
    except TemplateError as error:
        raise ServeError(f"{UWSGI_TEMPLATE} cannot be rendered here: {error.message}") from error
    kept = (line for line in text.splitlines() if line.partition("=")[0].strip() not in SERVERS_OWN)
    # systemd ends a server's workers with their master; here they have to see to it.
    added = (f"http-socket = {LOOPBACK}:{port}", "no-orphans = true")
    return "\n".join((*kept, *added)) + "\n"


def app_command(binary: str, ini: Path) -> list[str]:
    """The app server's command line, as on a server."""
    return [binary, "--ini", str(ini)]


def environment(inherited: Mapping[str, str], places: Places, database_port: int) -> dict[str, str]:
    """Environment of the app and of the restorer.

    uWSGI takes every `UWSGI_*` for an option, and the database is the one that was started here.
    """
    kept = {
        name: value
        for name, value in inherited.items()
        if not name.startswith(("UWSGI_", "PYTHON"))
    }
    return kept | {
        # This checkout's app, whichever checkout the environment was made for.
        "PYTHONPATH": str(places.checkout / "app"),
        "TOX_COM_DET_MODEL": str(places.bundle),
        "TOX_COM_DET_SLOT": "local",
        "TOX_COM_DET_MONGODB_URI": f"mongodb://{LOOPBACK}:{database_port}",
    }


def serving_port(asked: str | None, preferred: int = PREFERRED_PORT) -> int:
    """The port to serve at: what was asked for (`SERVE_PORT`), else the first that is free.

    Raises:
        ServeError: it is not a port, it is taken or not allowed, or none is free.
    """
    if asked:
        if not (asked.isascii() and asked.isdigit() and 0 < int(asked) < 65536):
            raise ServeError(
                f"{PORT_VARIABLE}={asked} is not a TCP port: give a number from 1 to 65535"
            )
        reason = why_not(int(asked))
        if reason:
            raise ServeError(
                f"port {asked} on {LOOPBACK} {reason}: "
                f"set {PORT_VARIABLE} to another one, or leave it out"
            )
        return int(asked)
    return next_port(preferred, why_not)


def next_port(preferred: int, reason_against: Callable[[int], str | None]) -> int:
    """The first port at or above `preferred` that nothing speaks against."""
    last = min(preferred + PORT_ATTEMPTS, 65536) - 1
    for port in range(preferred, last + 1):
        if reason_against(port) is None:
            return port
    raise ServeError(
        f"no free port between {preferred} and {last} on {LOOPBACK}: name one with {PORT_VARIABLE}"
    )


def why_not(port: int) -> str | None:
    """None if this loopback port can be listened on, else why not."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError:
            return "is not for users who are not root"
        except OSError:
            return "is taken"
    return None


def any_port() -> int:
    """A loopback port that nobody listens on, as the system chooses."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]
