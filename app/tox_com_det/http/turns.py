"""Fair turns: which of the waiting requests is worked on next, and which of the running ones.

Requests of one client wait for each other and not for those of others: clients take turns, and one
place is always left for a client that has none. A client that is alone may use two places; beside
others it gets one, because requests that run at the same time slow each other down. Waiting is
cheap: a thread that is blocked.

Of the requests that run, the one that has used the processor least goes first. All of them share
the interpreter's lock, so a long one rests between two of its steps while a shorter one runs.
Beside other clients it rests for half of its time, which leaves the database to them as well.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

from tox_com_det.http.turn_parts import SHARE, Share, Waiter

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
# How long a request rests at most at one step, as a shorter one may wait for the database, and in
# all, so that a long one ends although short ones never stop.
REST_SECONDS = 0.1
REST_SECONDS_IN_ALL = 2.0
# What a request may use of the processor before it rests beside other clients.
LONG_SECONDS = 0.01

_IPV6_NETWORK = 64


class Busy(Exception):
    """Too many requests wait already, or this one waited for too long."""


def client_of(environ: Mapping[str, Any]) -> str:
    """Who sent a request: an IPv4 address, the /64 network of an IPv6 address, or `PROBE`."""
    return _client_named(str(environ.get(CLIENT) or environ.get("REMOTE_ADDR") or ""))


@lru_cache(maxsize=1024)
def _client_named(name: str) -> str:
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

    def __init__(
        self,
        threads: int,
        wait_seconds: float | None = None,
        clock: Callable[[], float] = time.thread_time,
    ) -> None:
        """Turns for `threads` threads; some of them stay free for probes and refusals.

        `clock`: seconds of the processor that the calling thread has used, with those that others
        used for it (`Workers.thread_time`).
        """
        self._clock = clock
        self._wait_seconds = WAIT_SECONDS if wait_seconds is None else wait_seconds
        self._most = threads - min(4, threads // 8)
        self._lock = threading.Lock()
        self._progress = threading.Condition(self._lock)
        self._shares: set[Share] = set()
        self._running: Counter[str] = Counter()
        # Of each client in the order of their next turns.
        self._waiting: OrderedDict[str, deque[Waiter]] = OrderedDict()
        # The two clients that were here last, and when.
        self._seen: OrderedDict[str, float] = OrderedDict()

    def turn(self, client: str) -> AbstractContextManager[None]:
        """Wait for a turn of `client`, and hold it. Between two steps of the work call `rest`.

        Raises, when it is entered:
            Busy: too many requests wait, or this one waited for too long.
        """
        return _Turn(self, client)

    def begin(self, client: str) -> Share:
        """Wait for a turn; see `turn`, which ends it as well."""
        if client != PROBE:
            self._wait(client)
        share = Share(client, self._clock(), REST_SECONDS_IN_ALL)
        with self._lock:
            self._shares.add(share)
        return share

    def end(self, share: Share) -> None:
        """End a turn; see `turn`."""
        with self._progress:
            self._shares.remove(share)
            if self._shares:
                self._progress.notify_all()
            if share.client == PROBE:
                return
            self._running[share.client] -= 1
            if not self._running[share.client]:
                del self._running[share.client]
            if self._waiting:
                self._start_next()

    def _wait(self, client: str) -> None:
        with self._lock:
            self._make_room(client)
            self._see(client)
            if not self._waiting and self._has_place(client):
                self._running[client] += 1
                return
            waiter = Waiter()
            self._waiting.setdefault(client, deque()).append(waiter)
            self._start_next()
        if not waiter.wait(self._wait_seconds):
            self._give_up(client, waiter)
        if waiter.refused:
            raise Busy

    def _has_place(self, client: str) -> bool:
        return self._running.total() < RUNNING and self._running[client] < self._places(client)

    def held(self) -> tuple[int, int]:
        """How many requests run, and how many wait."""
        with self._lock:
            return self._running.total(), sum(map(len, self._waiting.values()))

    def resting(self) -> int:
        """How many of the running requests rest between two steps."""
        with self._lock:
            return sum(share.rests for share in self._shares)

    def rest(self) -> None:
        """Let requests of other clients go first that have used the processor less.

        Called by a thread that holds a turn, between two steps of its work; nothing otherwise.
        """
        share = SHARE.get()
        if share is None:
            return
        share.used = self._clock() - share.began
        if share.used <= LONG_SECONDS and len(self._shares) == 1:
            # Nobody is there to go first, and nobody waits to hear of it.
            share.stepped = time.monotonic()
            return
        with self._progress:
            self._progress.notify_all()
            begin = now = time.monotonic()
            most = min(REST_SECONDS, share.rest)
            pause = 0.0
            if share.used > LONG_SECONDS and self._has_others(share.client):
                pause = min(begin - share.stepped, most)
            share.rests = True
            while now < begin + pause or (now < begin + most and self._shorter(share)):
                self._progress.wait(begin + (pause if now < begin + pause else most) - now)
                now = time.monotonic()
            share.rests = False
            share.rest -= now - begin
            share.stepped = now

    def _shorter(self, share: Share) -> bool:
        """Whether a request of another client runs that has used less."""
        return any(
            other.used < share.used and other.client != share.client for other in self._shares
        )

    def _see(self, client: str) -> None:
        self._seen[client] = time.monotonic()
        self._seen.move_to_end(client)
        if len(self._seen) > 2:
            self._seen.popitem(last=False)

    def _has_others(self, client: str) -> bool:
        recently = time.monotonic() - ALONE_SECONDS
        return any(name != client and seen > recently for name, seen in self._seen.items())

    def _places(self, client: str) -> int:
        return RUNNING_BESIDE_OTHERS if self._has_others(client) else RUNNING_ALONE

    def _make_room(self, client: str) -> None:
        if self._running.total() + sum(map(len, self._waiting.values())) < self._most:
            return
        greediest = max(self._waiting, key=lambda name: len(self._waiting[name]), default=client)
        others, own = self._waiting.get(greediest, ()), self._waiting.get(client, ())
        # Not for a small difference: a refusal is to be said at once, and the other one has waited.
        if len(others) <= 2 * len(own) + 1:
            raise Busy
        self._refuse(greediest, self._waiting[greediest][-1])

    def _give_up(self, client: str, waiter: Waiter) -> None:
        with self._lock:
            if not waiter.decided:
                self._refuse(client, waiter)

    def _refuse(self, client: str, waiter: Waiter) -> None:
        queue = self._waiting[client]
        queue.remove(waiter)
        if not queue:
            del self._waiting[client]
        waiter.refused = True
        waiter.decide()

    def _start_next(self) -> None:
        while self._running.total() < RUNNING:
            client = next(
                (name for name in self._waiting if self._running[name] < self._places(name)), None
            )
            if client is None:
                return
            queue = self._waiting.pop(client)
            self._running[client] += 1
            queue.popleft().decide()
            if queue:
                # Behind the others.
                self._waiting[client] = queue


class _Turn(AbstractContextManager[None]):
    """One turn. A class, since a generator takes longer than the turn itself."""

    def __init__(self, turns: Turns, client: str) -> None:
        self._turns = turns
        self._client = client

    def __enter__(self) -> None:
        self._share = self._turns.begin(self._client)
        self._token = SHARE.set(self._share)

    def __exit__(self, *_: object) -> None:
        SHARE.reset(self._token)
        self._turns.end(self._share)
