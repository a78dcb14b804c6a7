"""Fair turns: which of the waiting requests is worked on next.

Requests of one client wait for each other and not for those of others: clients take turns, and one
place is always left for a client that has none. A client that is alone may use two places; beside
others it gets one, because requests that run at the same time slow each other down. Waiting is
cheap: a thread that is blocked.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

# Set by nginx on every request; a client's own header of this name does not arrive.
CLIENT = "HTTP_X_TOX_COM_DET_CLIENT"
# The client of nginx's loopback server for deploys. It never waits for a turn.
PROBE = "probe"

# One more than a client may have, so that another one finds a place at once.
RUNNING = 3
# While no other client has sent a request for so many seconds, and otherwise.
ALONE_SECONDS = 10.0
RUNNING_ALONE = 2
RUNNING_BESIDE_OTHERS = 1
# Well below the time after which uWSGI would replace the whole worker (flask_app_request_timeout).
WAIT_SECONDS = 10.0

_IPV6_NETWORK = 64


class Busy(Exception):
    """Too many requests wait already, or this one waited for too long."""


def client_of(environ: Mapping[str, Any]) -> str:
    """Who sent a request: an IPv4 address, the /64 network of an IPv6 address, or `PROBE`."""
    name = str(environ.get(CLIENT) or environ.get("REMOTE_ADDR") or "")
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name
    if address.version == 4:
        return name
    # One machine has as many addresses of its network as it likes.
    return str(ipaddress.ip_network((address, _IPV6_NETWORK), strict=False))


class Turns:
    """Hands out turns to the threads of one process. Thread-safe."""

    def __init__(self, threads: int, wait_seconds: float | None = None) -> None:
        """Turns for `threads` threads; some of them stay free for probes and refusals."""
        self._wait_seconds = WAIT_SECONDS if wait_seconds is None else wait_seconds
        self._most = threads - min(4, threads // 8)
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()
        # Of each client in the order of their next turns.
        self._waiting: OrderedDict[str, deque[_Waiter]] = OrderedDict()
        # The two clients that were here last, and when.
        self._seen: OrderedDict[str, float] = OrderedDict()

    @contextmanager
    def turn(self, client: str) -> Iterator[None]:
        """Wait for a turn of `client`, and hold it.

        Raises:
            Busy: too many requests wait, or this one waited for too long.
        """
        if client == PROBE:
            yield
            return
        waiter = _Waiter()
        with self._lock:
            self._make_room(client)
            self._see(client)
            self._waiting.setdefault(client, deque()).append(waiter)
            self._start_next()
        if not waiter.decided.wait(self._wait_seconds):
            self._give_up(client, waiter)
        if waiter.refused:
            raise Busy
        try:
            yield
        finally:
            with self._lock:
                self._running[client] -= 1
                if not self._running[client]:
                    del self._running[client]
                self._start_next()

    def held(self) -> tuple[int, int]:
        """How many requests run, and how many wait."""
        with self._lock:
            return self._running.total(), sum(map(len, self._waiting.values()))

    def _see(self, client: str) -> None:
        self._seen[client] = time.monotonic()
        self._seen.move_to_end(client)
        if len(self._seen) > 2:
            self._seen.popitem(last=False)

    def _places(self, client: str) -> int:
        recently = time.monotonic() - ALONE_SECONDS
        others = any(name != client and seen > recently for name, seen in self._seen.items())
        return RUNNING_BESIDE_OTHERS if others else RUNNING_ALONE

    def _make_room(self, client: str) -> None:
        if self._running.total() + sum(map(len, self._waiting.values())) < self._most:
            return
        greediest = max(self._waiting, key=lambda name: len(self._waiting[name]), default=client)
        others, own = self._waiting.get(greediest, ()), self._waiting.get(client, ())
        if len(others) <= len(own) + 1:
            raise Busy
        self._refuse(greediest, self._waiting[greediest][-1])

    def _give_up(self, client: str, waiter: _Waiter) -> None:
        with self._lock:
            if not waiter.decided.is_set():
                self._refuse(client, waiter)

    def _refuse(self, client: str, waiter: _Waiter) -> None:
        queue = self._waiting[client]
        queue.remove(waiter)
        if not queue:
            del self._waiting[client]
        waiter.refused = True
        waiter.decided.set()

    def _start_next(self) -> None:
        while self._running.total() < RUNNING:
            client = next(
                (name for name in self._waiting if self._running[name] < self._places(name)), None
            )
            if client is None:
                return
            queue = self._waiting.pop(client)
            self._running[client] += 1
            queue.popleft().decided.set()
            if queue:
                # Behind the others.
                self._waiting[client] = queue


class _Waiter:
    """One request that waits until it is decided: it may run, or it is refused."""

    def __init__(self) -> None:
        self.decided = threading.Event()
        self.refused = False
