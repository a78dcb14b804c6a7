"""The proxy of the fault tests cuts a connection once what it forwarded has arrived."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from from_file import from_file

HANG_SECONDS = 300
SENT = b"x" * 50_000
CUT = 40_000


@pytest.fixture(scope="module")
def cut_proxy() -> ModuleType:
    return from_file("tests/faults/cut_proxy.py")


@pytest.fixture
def upload(cut_proxy: ModuleType) -> Iterator[Callable[[Callable[[int], object]], Any]]:
    """Send through a proxy to a server that reads nothing yet; return the server's end."""
    with contextlib.ExitStack() as ends:

        def start(arrive: Callable[[int], object]) -> Any:
            listener = ends.enter_context(socket.create_server(("127.0.0.1", 0)))
            proxy = cut_proxy.CutProxy(listener.getsockname()[1], arrive)
            ends.callback(proxy.close)
            proxy.cut_after = CUT
            address = ("127.0.0.1", proxy.port)
            ends.enter_context(socket.create_connection(address, HANG_SECONDS)).sendall(SENT)
            server = ends.enter_context(listener.accept()[0])
            server.settimeout(HANG_SECONDS)
            return proxy, server

        yield start


def read(server: socket.socket, most: int) -> int:
    """Read so many bytes, or until the connection is reset; return how many arrived."""
    arrived = 0
    with contextlib.suppress(ConnectionResetError):
        while arrived < most and (chunk := server.recv(4096)):
            arrived += len(chunk)
    return arrived


def test_a_slow_server_has_everything_before_the_cut(upload) -> None:
    asked: list[int] = []
    begun, has_arrived = threading.Event(), threading.Event()

    def arrive(sent: int) -> None:
        asked.append(sent)
        begun.set()
        assert has_arrived.wait(HANG_SECONDS)

    proxy, server = upload(arrive)
    assert begun.wait(HANG_SECONDS)
    assert not proxy.was_cut.is_set()
    assert read(server, CUT) == CUT
    has_arrived.set()
    assert read(server, 1) == 0
    assert asked == [CUT]
    assert proxy.was_cut.is_set()


def test_a_server_that_never_has_it_is_cut_as_well(upload) -> None:
    """A proxy that waited for ever would let the laptop hang."""

    def never(sent: int) -> None:
        raise OSError(sent)

    proxy, server = upload(never)
    assert proxy.was_cut.wait(HANG_SECONDS)
    assert read(server, len(SENT)) <= CUT
