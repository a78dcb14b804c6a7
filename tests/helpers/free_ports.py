"""Ports for programs that a test starts."""

from __future__ import annotations

import contextlib
import secrets
import socket
from pathlib import Path

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOWEST = 10_000  # above those of services


def free_ports(number: int) -> list[int]:
    """Return so many ports as `free_port` does, each another one."""
    found: set[int] = set()
    while len(found) < number:
        found.add(free_port())
    return list(found)


def kept_port(address: str = "127.0.0.1") -> socket.socket:
    """Return a socket that keeps its port from others, also while no server of ours listens there.

    A server that listens there sets SO_REUSEADDR, as those of `http.server` do.
    """
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind((address, 0))
    return kept


def free_port() -> int:
    """Return a port of loopback that nothing listens at, and that the kernel gives to nobody.

    A program may listen at it seconds later, while other tests open connections. Not of `random`,
    which begins alike in every test.
    """
    first = int(RANGE.read_text(encoding="ascii").split()[0])
    # Where the kernel gives away nearly all of them, any has to do.
    end = first if first > LOWEST + 1000 else 65_536
    while True:
        port = LOWEST + secrets.randbelow(end - LOWEST)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
