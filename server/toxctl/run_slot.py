"""`toxctl run-slot`: becomes uWSGI or gunicorn for one slot. The unit tox_com_det@<slot> starts it.

It reads what the slot is to run (slots/<slot>.json) once and resolves every symbolic link, so that
a running slot stays on exactly the release it was started with, whatever is deployed meanwhile.
Which server it becomes is set by SLOT_SERVER (app.env). It ends in exec: Type=notify needs the
server itself to be the main process.
"""

from __future__ import annotations

import os
import re
import stat
from typing import Any, NoReturn

from toxctl import memory
from toxctl.config import REPAIR, Config
from toxctl.errors import ToxctlError
from toxctl.files import load_json
from toxctl.slots import Slots

__all__ = ["plan", "run_slot"]

ACTIVATE = "run `fab deploy-model`, or `sudo toxctl activate` on the server"
# Server: its programs, its configuration beside server.json, the options that name that, the number
# of connections that may wait, and the number of workers.
SERVERS = {
    "uwsgi": (("uwsgi", "pyuwsgi"), "uwsgi.ini", "--ini", "--listen", "--processes"),
    "gunicorn": (("gunicorn",), "gunicorn.conf.py", "--config", "--backlog", "--workers"),
}
# What a worker takes at its peak (role flask_app counts with it as well), and what a server needs
# for each of them: both slots run during a deploy, beside the database, nginx and the system.
WORKER_MEMORY = 150 << 20
SERVER_MEMORY_OF_A_WORKER = 900 << 20
MOST_WORKERS = 64
# prometheus_client reads this; each worker has its own files there, and any of them sums up.
METRICS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
# Connections that wait while a killed worker starts again: it needs seconds to load its model.
BACKLOG = 1024
KERNEL_BACKLOG = "/proc/sys/net/core/somaxconn"
OLD_KERNEL_BACKLOG = 128  # before Linux 5.4


def run_slot(config: Config, slot: str) -> NoReturn:
    """Replace this process by the slot's server.

    Raises:
        ToxctlError: that is not possible.
    """
    program, arguments, added = plan(config, slot, os.environ.get("SLOT_SERVER", "uwsgi"))
    if METRICS_DIRECTORY in added:
        os.makedirs(added[METRICS_DIRECTORY], mode=0o750, exist_ok=True)
    for stream in (1, 2):
        # If journald is dead and its socket full, a server that waits to log does not even stop.
        if stat.S_ISSOCK(os.fstat(stream).st_mode):
            os.set_blocking(stream, False)
    os.execve(program, arguments, {**os.environ, **added})  # noqa: S606 (meant to be exec)


def plan(config: Config, slot: str, server: str) -> tuple[str, list[str], dict[str, str]]:
    """Return (program, its arguments, the variables to add to the environment) for the slot.

    Raises:
        ToxctlError: no such slot or server, or its release is missing.
    """
    if server not in SERVERS:
        raise ToxctlError(f"SLOT_SERVER is {server}, not one of {', '.join(SERVERS)}")
    names, settings, option, backlog, workers = SERVERS[server]
    if slot not in config.slots:
        raise ToxctlError(f"there is no slot {slot}, only {', '.join(config.slots)}")
    path = Slots(config).file(slot)
    pinned = _read(path)
    release = {}
    for name in ("app", "model"):
        if not isinstance(pinned.get(name), str):
            raise ToxctlError(f"{path} has no {name}: {ACTIVATE}")
        release[name] = os.path.realpath(pinned[name])
        if not os.path.isdir(release[name]):
            raise ToxctlError(f"{release[name]} ({name} in {path}) is not a directory")
    programs = [os.path.join(release["app"], "venv", "bin", name) for name in names]
    program = next((path for path in programs if os.access(path, os.X_OK)), None)
    if program is None:
        raise ToxctlError(f"{programs[0]} cannot be run: {REPAIR}")
    settings = os.path.join(os.path.dirname(os.path.abspath(config.path)), settings)
    environment = {
        "TOX_COM_DET_SLOT": slot,
        "TOX_COM_DET_MODEL": release["model"],
        # Not TOX_COM_DET_*: the app refuses settings that it does not know.
        "SLOT_APP": release["app"],
        "PYTHONPATH": release["app"],
    }
    number = count_workers(config, os.environ.get("SLOT_PROCESSES", "1"))
    if number > 1 and os.environ.get("RUNTIME_DIRECTORY"):
        environment[METRICS_DIRECTORY] = os.path.join(os.environ["RUNTIME_DIRECTORY"], "metrics")
    # Not in the configuration: there uWSGI takes a variable for the number 0.
    arguments = [program, option, settings, backlog, str(_backlog()), workers, str(number)]
    return program, arguments, environment


def count_workers(config: Config, wanted: str) -> int:
    """Return how many workers a slot starts.

    Args:
        wanted: their number; "0": one for each processor that this process may use, as far as the
            slot's memory limit and the server's memory allow.

    Raises:
        ToxctlError: not such a number.
    """
    if not re.fullmatch("[0-9]{1,4}", wanted) or int(wanted) > MOST_WORKERS:
        raise ToxctlError(
            f"SLOT_PROCESSES is {wanted!r}, not a number from 0 to {MOST_WORKERS}: "
            f"correct flask_app_processes and {REPAIR}"
        )
    if int(wanted):
        return int(wanted)
    whole = memory.usable_by_units()
    processors = min(len(os.sched_getaffinity(0)), MOST_WORKERS)
    fit = min(config.memory_max_bytes // WORKER_MEMORY, whole // SERVER_MEMORY_OF_A_WORKER)
    return max(1, min(processors, fit))


def _backlog() -> int:
    """Return how many connections may wait to be accepted; uWSGI refuses more than the kernel's."""
    try:
        with open(KERNEL_BACKLOG, encoding="ascii") as file:
            return min(BACKLOG, int(file.read()))
    except (OSError, ValueError):
        return OLD_KERNEL_BACKLOG


def _read(path: str) -> dict[str, Any]:
    """Return the JSON object in the file of a slot."""
    try:
        with open(path, encoding="utf-8") as file:
            value = load_json(file)
    except FileNotFoundError:
        raise ToxctlError(f"{path} is missing: {ACTIVATE}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ToxctlError(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise ToxctlError(f"{path} holds no JSON object")
    return value
