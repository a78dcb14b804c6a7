"""Progress of a restore, as lines."""

from __future__ import annotations

import time
from collections.abc import Callable

INTERVAL_SECONDS = 1.0

Say = Callable[[str], None]


class Progress:
    """Lines such as `restoring  42 %  168000 of 400000 words  6.1 MB/s`, one a second.

    `toxctl` reads them: keep the form.
    """

    def __init__(self, say: Say, verb: str, total: int) -> None:
        self._say = say
        self._verb = verb
        self._total = total
        self._start = self._last = time.monotonic()

    def step(self, words: int, size: int) -> None:
        """Report words and bytes so far, if the last line is old enough."""
        now = time.monotonic()
        if now - self._last >= INTERVAL_SECONDS:
            self._last = now
            self._line(words, size, now)

    def done(self, words: int, size: int) -> None:
        """Report the end."""
        self._line(words, size, time.monotonic())

    def _line(self, words: int, size: int, now: float) -> None:
        percent = 100 * words // max(self._total, 1)
        rate = size / max(now - self._start, 1e-3) / 1e6
        self._say(
            f"{self._verb:<10} {percent:>3} %  {words} of {self._total} words  {rate:.1f} MB/s"
        )
