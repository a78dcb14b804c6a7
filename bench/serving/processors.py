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
    os.sched_setaffinity(0, SERVING)
    try:
        yield
    finally:
        os.sched_setaffinity(0, CLIENT)


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
