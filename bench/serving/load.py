"""A bounded load on one address: some connections, each sends one request after the other.

One thread and one epoll, so that the client takes as little as possible of the processors that it
shares with what it measures. A connection that the server closes is opened again; that is part of
the time of the next request.
"""

from __future__ import annotations

import re
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

from bench.serving import BenchError

LOOPBACK = "127.0.0.1"
MOST_SECONDS = 60.0
ANSWER_SECONDS = 60.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


@dataclass(frozen=True)
class Load:
    """What a load measured.

    Attributes:
        times: ms from before the request (and the connection, if it is a new one) to the end of the
            answer, in no order.
        seconds: that the load took.
        last: body of the last answer.
    """

    times: list[float]
    seconds: float
    last: bytes


def request(
    path: str, body: bytes | None = None, host: str = LOOPBACK, headers: Sequence[str] = ()
) -> bytes:
    """The bytes of a request: GET without a body, otherwise POST of JSON."""
    method = "GET" if body is None else "POST"
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Accept: application/json", *headers]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join((*lines, "", "")).encode() + (body or b"")


def send(
    port: int,
    requests: Sequence[bytes],
    connections: int,
    seconds: float,
    most: int = 1_000_000,
    address: str = LOOPBACK,
) -> Load:
    """Send `requests`, again from the first after the last, for so many seconds.

    Args:
        port: on `address`.
        requests: from `request`.
        connections: at once.
        seconds: after which no request is sent any more.
        most: requests in all.
        address: where the server is.

    Raises:
        BenchError: an answer is not 200 or has no length, or none arrives in time.
    """
    place = address, port
    return _Sender(place, cycle(requests), min(seconds, MOST_SECONDS), most).run(connections)


def answer(
    port: int, wanted: bytes, seconds: float = ANSWER_SECONDS, address: str = LOOPBACK
) -> bytes | None:
    """The body of one answer; None if nobody listens yet, or the status is not 200."""
    try:
        return send(port, [wanted], 1, seconds, 1, address).last
    except (OSError, BenchError):
        return None


class _Connection:
    def __init__(self) -> None:
        self.socket: socket.socket | None = None
        self.begin = 0.0
        self.buffer = b""
        self.expected = -1


class _Sender:
    def __init__(
        self, place: tuple[str, int], requests: Iterator[bytes], seconds: float, most: int
    ) -> None:
        self._place = place
        self._port = place[1]
        self._requests = requests
        self._left = most
        self._end = time.perf_counter() + seconds
        self._selector = selectors.EpollSelector()
        self._times: list[float] = []
        self._last = b""

    def run(self, connections: int) -> Load:
        begin = time.perf_counter()
        open_ones = {_Connection() for _ in range(connections)}
        try:
            active = sum(self._send(one) for one in open_ones)
            while active:
                ready = self._selector.select(ANSWER_SECONDS)
                if not ready:
                    raise BenchError(f"port {self._port} has not answered in {ANSWER_SECONDS} s")
                for key, _ in ready:
                    if self._receive(key.data) and not self._send(key.data):
                        active -= 1
            return Load(self._times, time.perf_counter() - begin, self._last)
        finally:
            for one in open_ones:
                if one.socket is not None:
                    one.socket.close()
            self._selector.close()

    def _send(self, one: _Connection) -> bool:
        """Send the next request; False if the load has ended."""
        begin = time.perf_counter()
        if begin >= self._end or self._left <= 0:
            return False
        self._left -= 1
        one.begin, one.buffer, one.expected = begin, b"", -1
        if one.socket is None:
            one.socket = socket.create_connection(self._place, ANSWER_SECONDS)
            one.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(one.socket, selectors.EVENT_READ, one)
        one.socket.sendall(next(self._requests))
        return True

    def _receive(self, one: _Connection) -> bool:
        """Take what has arrived; whether the answer is whole."""
        if one.socket is None:
            raise BenchError("a closed connection is ready")
        data = one.socket.recv(262144)
        if not data:
            raise BenchError(f"port {self._port} closed a connection within an answer")
        one.buffer += data
        if one.expected < 0 and (head := one.buffer.find(b"\r\n\r\n")) >= 0:
            one.expected = head + 4 + self._length(one.buffer[: head + 2])
        if one.expected < 0 or len(one.buffer) < one.expected:
            return False
        self._times.append((time.perf_counter() - one.begin) * 1000)
        head = one.buffer.find(b"\r\n\r\n") + 4
        self._last = one.buffer[head:]
        if _CLOSE.search(one.buffer, 0, head):
            self._selector.unregister(one.socket)
            one.socket.close()
            one.socket = None
        return True

    def _length(self, head: bytes) -> int:
        status = head[9:12]
        found = _LENGTH.search(head)
        if status != b"200" or found is None:
            first = head.partition(b"\r\n")[0].decode("latin-1")
            what = "" if status != b"200" else " without a length"
            raise BenchError(f"port {self._port} answered {first}{what}")
        return int(found[1])
