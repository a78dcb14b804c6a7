"""Choose TCP ports on the loopback interface for the local Nanode and for `make serve`."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable

LOOPBACK = "127.0.0.1"
ATTEMPTS = 200
IN_USE = "is in use"
BACKLOG = 100
# The kernel answers on loopback at once; a port that leads to a dead container never answers.
CONNECT_SECONDS = 5
_LAST = 65535


class PortError(Exception):
    """No port can be used; the message names the variable to set."""


def problem(port: int) -> str | None:
    """Why this process cannot serve on a loopback port ("is in use"); None if it can.

    A port that nobody listens on can still lead elsewhere: a container engine that was killed
    leaves the rules that forward its containers' ports.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except PermissionError:
            return "is reserved for root"
        except OSError:
            return IN_USE
        if not _reaches(probe):
            return "is forwarded elsewhere by this machine's firewall"
    return None


def _reaches(listener: socket.socket) -> bool:
    """Whether a connection to the listener's address arrives at the listener."""
    with socket.socket() as client:
        # Closed by a reset: the port is not left in TIME_WAIT for who listens on it next.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.settimeout(CONNECT_SECONDS)
        listener.settimeout(CONNECT_SECONDS)
        try:
            client.connect(listener.getsockname())
            with listener.accept()[0] as accepted:
                return bool(accepted.getpeername() == client.getsockname())
        except OSError:
            return False


def requested_or_free(variable: str, requested: str | None, preferred: int) -> int:
    """The requested port, or the first free one from `preferred` on.

    Args:
        variable: the environment variable with the request, for errors.
        requested: its value; None or "" if it is not set.

    Raises:
        PortError: the request is not a port or the port cannot be used, or no port is free.
    """
    if not requested:
        return first_free(variable, preferred)
    if not (requested.isascii() and requested.isdigit() and 0 < int(requested) <= _LAST):
        raise PortError(f"{variable}={requested} is not a TCP port: set a number from 1 to {_LAST}")
    reason = problem(int(requested))
    if reason is not None:
        raise PortError(
            f"port {requested} on {LOOPBACK} {reason}: set {variable} to another port, or unset it"
        )
    return int(requested)


def listen(variable: str, requested: str | None, preferred: int) -> socket.socket:
    """Listen on the port that `requested_or_free` chooses, so that no other process gets it.

    Raises:
        PortError: as in `requested_or_free`.
    """
    for _ in range(ATTEMPTS):
        port = requested_or_free(variable, requested, preferred)
        # Another process may have taken the port since; then the next choice sees that.
        with contextlib.suppress(OSError):
            return socket.create_server((LOOPBACK, port), backlog=BACKLOG)
    raise PortError(f"no port on {LOOPBACK} stays free: set {variable} to another port")


def first_free(
    variable: str, preferred: int, problem: Callable[[int], str | None] = problem
) -> int:
    """The first of `ATTEMPTS` ports from `preferred` on that can be used.

    Raises:
        PortError: none of them.
    """
    last = min(preferred + ATTEMPTS - 1, _LAST)
    for port in range(preferred, last + 1):
        if problem(port) is None:
            return port
    raise PortError(
        f"no free port from {preferred} to {last} on {LOOPBACK}: set {variable} to a free one"
    )


def any_free() -> int:
    """A free port, chosen by the system; another process may take it before it is listened on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
