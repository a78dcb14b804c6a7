"""Start a server of the comparison, and measure how long it takes until it answers."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.serving import BenchError, usage
from bench.serving.load import LOOPBACK, answer
from bench.serving.processors import everywhere, give_priority, serving
from controller.local_serve.processes import Group, Running

START_SECONDS = 90.0
_POLL_SECONDS = 0.01
_BACKLOG = 100


@dataclass(frozen=True)
class Program:
    """How a server is started.

    Attributes:
        name: its key in the figures.
        command: the argument list, for a socket that listens on loopback.
        environment: the variables.
        takes_socket: whether it inherits the socket; otherwise it gets the socket's port, which is
            free again.
        processors: whether it gets all of them, and not only the one that serves.
    """

    name: str
    command: Callable[[socket.socket], Sequence[str]]
    environment: Mapping[str, str]
    takes_socket: bool = False
    processors: bool = False


@dataclass(frozen=True)
class Server:
    """A server that answers.

    Attributes:
        name: the program's.
        port: on loopback.
        leader: process that leads its session.
        ready: seconds from the start to the end of the first answer.
        first: that answer.
        address: where the port is.
        beside: names of its processes that are not its own, such as a container's database.
    """

    name: str
    port: int
    leader: int
    ready: float
    first: dict[str, Any]
    address: str = LOOPBACK
    beside: tuple[str, ...] = ()

    def processes(self) -> list[int]:
        """The processes that serve."""
        return [one for one in usage.group(self.leader) if usage.name(one) not in self.beside]


def start(
    program: Program, group: Group, logs: Path, probe: bytes, priority: bool = False
) -> Server:
    """Start a program on the processor that serves, and wait for its answer to a request.

    Raises:
        BenchError: it does not answer in time.
        ServeError: it, or another process of the group, has exited.
    """
    with socket.create_server((LOOPBACK, 0), backlog=_BACKLOG) as listener:
        port = listener.getsockname()[1]
        command = program.command(listener)
        inherited = [listener.fileno()] if program.takes_socket else []
        if not program.takes_socket:
            listener.close()
        begin = time.monotonic()
        log = logs / f"{program.name}.log"
        with everywhere() if program.processors else serving():
            running = group.start(program.name, command, log, program.environment, inherited)
        if priority:
            give_priority(running.process.pid)
    body = _first_answer(group, running, port, probe, begin)
    ready = time.monotonic() - begin
    return Server(program.name, port, running.process.pid, ready, json.loads(body))


def start_times(
    program: Program, logs: Path, probe: bytes, times: int, priority: bool = False
) -> list[float]:
    """Seconds to the first answer of several starts; nothing runs afterwards."""
    found = []
    for _ in range(times):
        with Group() as group:
            found.append(start(program, group, logs, probe, priority).ready)
    return found


def _first_answer(group: Group, running: Running, port: int, probe: bytes, begin: float) -> bytes:
    while (body := answer(port, probe)) is None:
        group.check()
        if time.monotonic() > begin + START_SECONDS:
            raise BenchError(f"{running.name} does not answer: see {running.log}")
        time.sleep(_POLL_SECONDS)
    return body
