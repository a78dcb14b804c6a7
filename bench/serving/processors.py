"""One processor for what is measured, as a small server has; the others for the client.

And, by choice, these processes before the machine's other ones (Linux).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.serving import BenchError

# Of a session as a whole: with autogroups, which most systems have, `nice` is of the session only.
_NICE = "-15"
_ALL = sorted(os.sched_getaffinity(0))
# The last one serves.
SERVING = {_ALL[-1]}
CLIENT = set(_ALL[:-1]) or SERVING


@contextmanager
def serving() -> Iterator[None]:
    """Run this thread, and start processes, on the processor that serves."""
    with _on(SERVING):
        yield


@contextmanager
def everywhere() -> Iterator[None]:
    """Start processes that run on all processors, the client's too."""
    with _on(set(_ALL)):
        yield


@contextmanager
def _on(processors: set[int]) -> Iterator[None]:
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, CLIENT)


def move(process: int, processors: set[int]) -> None:
    """Run all threads of a process, which runs already, on these processors."""
    for thread in Path(f"/proc/{process}/task").iterdir():
        os.sched_setaffinity(int(thread.name), processors)


def give_priority(process: int) -> None:
    """Let the session of a process go before others.

    Raises:
        BenchError: the kernel refuses it.
    """
    try:
        Path(f"/proc/{process}/autogroup").write_text(_NICE)
    except OSError as error:
        words = f"the kernel gives no priority ({error.strerror}): leave out --priority"
        raise BenchError(words) from error
