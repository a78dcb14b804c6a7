"""A TCP proxy on loopback between laptop and sshd that cuts, slows down and freezes."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable

CHUNK = 16 * 1024


class CutProxy:
    """Forwards connections to a port of this machine.

    Attributes:
        port: where it listens on loopback.
        sent: bytes from client to server, over all connections.
        cut_after: every connection is reset once `sent` reaches it; None: never. A reset discards
            what is still in a buffer on its way, so `arrive` is called first.
        rate: bytes per second from client to server; None: no limit.
    """

    def __init__(self, target: int, arrive: Callable[[int], object] = lambda sent: None) -> None:
        """`target`: the port of sshd; `arrive`: waits until so many bytes are on the server."""
        self.target, self.arrive = target, arrive
        self.sent = 0
        self.cut_after: int | None = None
        self.rate: float | None = None
        self.thawed = threading.Event()
        self.thawed.set()
        self.was_cut = threading.Event()
        self.sockets: list[socket.socket] = []
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self) -> None:
        """Forward nothing any more, and close nothing, like a laptop whose lid is shut."""
        self.thawed.clear()

    def cut(self) -> None:
        """Reset every connection."""
        self.was_cut.set()
        with self.lock:
            sockets, self.sockets = self.sockets, []
        for one in sockets:
            reset(one)
        self.thawed.set()

    def close(self) -> None:
        """Stop for good."""
        self.listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            with self.lock:
                self.sockets += [client, server]
            for pair in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._forward, args=pair, daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        try:
            while chunk := source.recv(CHUNK):
                self.thawed.wait()
                if counted and self.rate:
                    time.sleep(len(chunk) / self.rate)
                left = None if self.cut_after is None else self.cut_after - self.sent
                if counted and left is not None and left <= len(chunk):
                    target.sendall(chunk[: max(left, 0)])
                    self.sent += max(left, 0)
                    self.cut_after = None
                    try:
                        self.arrive(self.sent)
                    finally:
                        self.cut()
                    return
                target.sendall(chunk)
                self.sent += len(chunk) if counted else 0
            target.shutdown(socket.SHUT_WR)
        except OSError:  # a program was killed with unread data: pass the reset on
            reset(source)
            reset(target)


def reset(one: socket.socket) -> None:
    """Close a connection with RST, as a broken network does, and wake its readers."""
    with contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        one.shutdown(socket.SHUT_RD)
    one.close()
