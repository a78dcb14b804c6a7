"""This service as `make serve` starts it: uWSGI with a server's settings, stand-in database."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Mapping
from typing import Any

import yaml

from bench.serving.programs import Program
from controller.local_serve import plan
from controller.local_serve.plan import Places
from controller.local_serve.processes import Group
from controller.local_serve.readiness import database_problem, wait_for
from controller.local_serve.service import NO_DATABASE
from controller.ports import any_free


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


def program(places: Places, database_port: int) -> Program:
    """The service, listening as `make serve` does."""
    server = plan.program(("uwsgi", "pyuwsgi"), "run 'make venv' again")

    def command(listener: socket.socket) -> list[str]:
        places.ini.write_text(plan.app_ini(_template(places), _defaults(places), listener.fileno()))
        return plan.app_command(server, places.ini)

    environment = plan.environment(os.environ, places, database_port) | _allocator(places)
    return Program(places.state.name, command, environment, takes_socket=True)


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
