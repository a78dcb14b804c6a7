"""This service as `make serve` starts it: uWSGI with a server's settings, stand-in database."""

from __future__ import annotations

import os
import re
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from bench.serving.environments import python_of
from bench.serving.programs import Program
from controller.local_serve import plan
from controller.local_serve.plan import Places
from controller.local_serve.processes import Group
from controller.local_serve.readiness import database_problem, wait_for
from controller.local_serve.service import NO_DATABASE
from controller.ports import any_free

# The packages of a server, so that nothing is loaded that only the laptop has.
LOCK = "app/requirements/debian12.txt"
METRICS = "PROMETHEUS_MULTIPROC_DIR"


def database(group: Group, places: Places) -> tuple[int, int]:
    """Start the stand-in database, restore the bundle's vectors; returns its port and process.

    Raises:
        ServeError: it is not installed, or does not start, or the restore fails.
    """
    port = any_free()
    places.database.mkdir(parents=True, exist_ok=True)
    environment = plan.environment(os.environ, places, port)
    binary = plan.program(("secantusd-rs",), NO_DATABASE)
    command = plan.database_command(binary, port, places.database)
    running = group.start("the database", command, places.log("database"), environment)
    wait_for(group, "the database", lambda: database_problem(port))
    command = plan.restore_command(sys.executable, places.bundle)
    group.finish(group.start("the restore", command, places.log("restore"), environment))
    return port, running.process.pid


def program(places: Places, database_port: int, state: Path, workers: int = 1) -> Program:
    """The service with a server's packages, listening as `make serve` does.

    Args:
        places: of the model.
        database_port: on loopback.
        state: directory of the environment.
        workers: processes of it; more than one get all processors, and are called `workers`.

    Raises:
        BenchError: the packages cannot be installed.
    """
    python = python_of("ours", places.checkout / LOCK, state)
    server = [str(python), str(python.with_name("pyuwsgi"))]
    name = places.state.name if workers == 1 else "workers"

    def command(listener: socket.socket) -> list[str]:
        ini = places.state / f"{name}.ini"
        ini.write_text(plan.app_ini(_template(places), _defaults(places), listener.fileno()))
        return [*plan.app_command(server, ini), "--processes", str(workers)]

    environment = plan.environment(os.environ, places, database_port) | _allocator(places)
    if workers > 1:
        # As `toxctl run-slot` does: a directory that all workers count in.
        environment[METRICS] = tempfile.mkdtemp(dir=places.state)
    return Program(name, command, environment, takes_socket=True, processors=workers > 1)


def _allocator(places: Places) -> dict[str, str]:
    """A server's settings of the C library's allocator."""
    template = (places.checkout / "templates/etc/tox_com_det/app.env.j2").read_text()
    return dict(re.findall(r"^(MALLOC_\w+)=(\d+)$", template, re.MULTILINE))


def _template(places: Places) -> str:
    return (places.checkout / plan.UWSGI_TEMPLATE).read_text()


def _defaults(places: Places) -> Mapping[str, Any]:
    defaults: Mapping[str, Any] = yaml.safe_load(
        (places.checkout / plan.UWSGI_DEFAULTS).read_text()
    )
    return defaults
