"""Signals that ask this program to end, and when they no longer count."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType

from toxctl.errors import Interrupted

__all__ = ["held", "ignore_ending", "ignore_hangup", "raise_on_ending", "raise_on_termination"]

ENDING = (signal.SIGINT, signal.SIGTERM)


def ignore_hangup() -> None:
    """Continue when the ssh connection is lost, so that no work is left half done."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def raise_on_ending() -> None:
    """Let SIGINT and SIGTERM raise Interrupted, which unwinds through the cleanup."""
    for number in ENDING:
        signal.signal(number, _interrupt)


def raise_on_termination() -> None:
    """Let SIGTERM raise Interrupted."""
    signal.signal(signal.SIGTERM, _interrupt)


@contextlib.contextmanager
def held() -> Iterator[Callable[[], None]]:
    """Let a signal wait until the function that this yields is called, or until the end.

    Around the start of a program, which would be left behind by a handler that raises: nobody knows
    it yet. A signal that is ignored stays so, also for the program.
    """
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (*ENDING, signal.SIGHUP)}
    before = {number: handler for number, handler in handlers.items() if callable(handler)}

    def release() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)
        before.clear()
        if came:
            first = came[0]
            came.clear()
            signal.raise_signal(first)

    for number in before:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield release
    finally:
        release()


def ignore_ending() -> None:
    """Let the rest of the program run to its end: a request to stop comes too late."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise Interrupted(f"interrupted by {signal.Signals(number).name}")
