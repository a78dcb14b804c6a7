"""Rates of requests: a token bucket for each key, and for each address with an unknown key.

The buckets are of one process, and a slot has one worker process (uwsgi.ini, gunicorn.conf.py).
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

# Of a key's rate so many seconds may be used at once.
WINDOW_SECONDS = 4
_MOST_BUCKETS = 10_000


@dataclass(frozen=True)
class Quota:
    """What is left after a request.

    Attributes:
        rate: requests per second.
        limit: requests at once.
        left: requests that may be sent now; below zero: this one was refused.
        reset: seconds until all of `limit` may be sent again.
        wait: seconds until the next request may be sent.
    """

    rate: int
    limit: int
    left: int
    reset: int
    wait: int

    @property
    def is_exceeded(self) -> bool:
        """Whether the request is refused."""
        return self.left < 0

    def headers(self) -> dict[str, str]:
        """Headers that tell it (draft-ietf-httpapi-ratelimit-headers-07)."""
        headers = {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(max(0, self.left)),
            "RateLimit-Reset": str(self.reset),
            "RateLimit-Policy": f"{self.limit};w={WINDOW_SECONDS}",
        }
        if self.is_exceeded:
            headers["Retry-After"] = str(self.wait)
        return headers


class Quotas:
    """The buckets. Safe to use from several threads."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        """`clock`: seconds that never go back; None: the system's."""
        self._clock = clock or time.monotonic
        self._lock = threading.Lock()
        # Name -> tokens, and when. The one that was not used for the longest time comes first.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, rate: int, limit: int | None = None) -> Quota:
        """Count a request; one that is refused uses nothing.

        Args:
            name: whose bucket it is.
            rate: tokens that are added per second.
            limit: tokens that it holds at most; None: those of `WINDOW_SECONDS`.
        """
        limit = rate * WINDOW_SECONDS if limit is None else limit
        with self._lock:
            now = self._clock()
            tokens, before = self._buckets.get(name, (float(limit), now))
            tokens = min(float(limit), tokens + (now - before) * rate)
            is_allowed = tokens >= 1
            tokens -= is_allowed
            self._buckets[name] = tokens, now
            self._buckets.move_to_end(name)
            if len(self._buckets) > _MOST_BUCKETS:
                self._buckets.popitem(last=False)
        return Quota(
            rate,
            limit,
            math.floor(tokens) if is_allowed else -1,
            math.ceil((limit - tokens) / rate),
            max(1, math.ceil((1 - tokens) / rate)),
        )
