"""Rates of requests: a token bucket for each key, and for each address with an unknown key.

The buckets are those of a slot: a deploy begins with full ones.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from tox_com_det.keys.buckets import Bucket, Buckets, OwnBuckets

# Of a key's rate so many seconds may be used at once.
WINDOW_SECONDS = 4


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

    def __init__(
        self, buckets: Buckets | None = None, clock: Callable[[], float] | None = None
    ) -> None:
        """Rates that are counted in `buckets`; None: in this process.

        `clock`: seconds that never go back; None: the system's, which all processes have.
        """
        self._clock = clock or time.monotonic
        self._buckets = buckets or OwnBuckets()

    def take(self, name: str, rate: int, limit: int | None = None) -> Quota:
        """Count a request; one that is refused uses nothing.

        Args:
            name: whose bucket it is.
            rate: tokens that are added per second.
            limit: tokens that it holds at most; None: those of `WINDOW_SECONDS`.
        """
        limit = rate * WINDOW_SECONDS if limit is None else limit
        is_allowed = False

        def count(bucket: Bucket | None) -> Bucket:
            nonlocal is_allowed
            now = self._clock()
            tokens, before = bucket or (float(limit), now)
            tokens = min(float(limit), tokens + (now - before) * rate)
            is_allowed = tokens >= 1
            return tokens - is_allowed, now

        tokens, _ = self._buckets.change(name, count)
        return Quota(
            rate,
            limit,
            math.floor(tokens) if is_allowed else -1,
            math.ceil((limit - tokens) / rate),
            max(1, math.ceil((1 - tokens) / rate)),
        )
