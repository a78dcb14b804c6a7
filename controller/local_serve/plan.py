"""Commands, paths and environment of the processes, decided without starting anything."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, TemplateError

from controller.local_serve import ServeError
from controller.ports import LOOPBACK

PORT_VARIABLE = "SERVE_PORT"
PREFERRED_PORT = 8080
UWSGI_TEMPLATE = "templates/etc/tox_com_det/uwsgi.ini.j2"
UWSGI_DEFAULTS = "roles/flask_app/defaults/main.yml"
# Options of uwsgi.ini that only a server needs: nginx's socket and the names of the processes.
SERVER_ONLY = ("socket", "chmod-socket", "vacuum", "procname-prefix-spaced")


@dataclass(frozen=True)
class Places:
    """Where everything is; everything that is written is below `state`.

    Attributes:
        checkout: the checkout that is served.
        state: directory of bundle, database, logs and lock, `build/serve` by default.
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
        """Locked while a service runs from `state`; contains its address."""
        return self.state / "lock"

    def log(self, name: str) -> Path:
        """The log of one process."""
        return self.state / "log" / f"{name}.log"


def program(names: tuple[str, ...], remedy: str, beside: Path | None = None) -> list[str]:
    """Words that start the first of these programs, in this environment or else on PATH.

    A Python program is started by its interpreter: the kernel cannot read the first line of a
    script if the path in it contains a blank or is too long.

    Raises:
        ServeError: none is installed; ends with `remedy`.
    """
    directory = beside or Path(sys.prefix, "bin")
    for name in names:
        path = directory / name
        if path.is_file():
            return [sys.executable, str(path)] if is_python(path) else [str(path)]
    for name in names:
        if found := shutil.which(name):
            return [found]
    raise ServeError(f"{names[0]} is not installed in {directory}: {remedy}")


def is_python(path: Path) -> bool:
    """Whether a program is a Python script of its environment."""
    with path.open("rb") as file:
        first = file.readline(1000)
    return first.startswith(b"#!") and b"python" in first


def database_command(binary: list[str], port: int, storage: Path) -> list[str]:
    """The command of SecantusDB on loopback; without a limit its log allocates 2 GB in advance."""
    return [
        *binary,
        f"--host={LOOPBACK}",
        f"--port={port}",
        f"--storage-path={storage}",
        "--standalone",
        "--cache-size=64M",
        "--log-file-max=8MB",
        "--oplog-max-entries=1000",
    ]


def restore_command(python: str, bundle: Path) -> list[str]:
    """The command of the restore, the same program as on a server."""
    return [
        python,
        "-m",
        "tox_com_det.store.restore",
        "--dump",
        str(bundle / "dump"),
        "--manifest",
        str(bundle / "manifest.json"),
        # Independent of whether mongorestore is installed on this machine.
        "--tool",
        "pymongo",
    ]


def app_ini(template: str, defaults: Mapping[str, Any], listener: int) -> str:
    """uWSGI's configuration: that of a server, with HTTP on loopback instead of nginx's socket.

    Args:
        template: text of templates/etc/tox_com_det/uwsgi.ini.j2.
        defaults: defaults of the role that installs it.
        listener: file descriptor of the socket that is listened on already.

    Raises:
        ServeError: the template needs a variable that is not in the role's defaults.
    """
    jinja = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701 (no HTML)
    jinja.filters["comment"] = lambda text: f"# {text}"
    header = "A server's uwsgi.ini, adapted by `make serve` at every start"
    # Removed before rendering: the paths in these lines are variables of a server.
    lines = template.splitlines()
    kept = (line for line in lines if line.partition("=")[0].strip() not in SERVER_ONLY)
    # On a server systemd stops the workers with their master; here uWSGI has to. It closes each
    # connection, which a client that would keep it has to know; on a server that is nginx's part.
    added = (
        f"http-socket = fd://{listener}",
        "add-header = Connection: close",
        "no-orphans = true",
    )
    local = "\n".join((*kept, *added))
    try:
        return jinja.from_string(local).render(defaults, ansible_managed=header) + "\n"
    except TemplateError as error:
        raise ServeError(f"{UWSGI_TEMPLATE} cannot be rendered: {error.message}") from error


def app_command(binary: list[str], ini: Path) -> list[str]:
    """The command of the app server, as on a server."""
    return [*binary, "--ini", str(ini)]


def environment(inherited: Mapping[str, str], places: Places, database_port: int) -> dict[str, str]:
    """Environment of the app and of the restore.

    uWSGI reads every `UWSGI_*` as an option, so these are removed; the database is the local one.
    """
    kept = {
        name: value
        for name, value in inherited.items()
        if not name.startswith(("UWSGI_", "PYTHON"))
    }
    return kept | {
        # The app of this checkout, even if the environment belongs to another one.
        "PYTHONPATH": str(places.checkout / "app"),
        "TOX_COM_DET_MODEL": str(places.bundle),
        "TOX_COM_DET_SLOT": "local",
        "TOX_COM_DET_MONGODB_URI": f"mongodb://{LOOPBACK}:{database_port}",
    }
