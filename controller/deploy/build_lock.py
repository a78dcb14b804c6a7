"""One build at a time of the same thing: Ansible asks for it once per host, for several at once."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["build_lock"]


@contextmanager
def build_lock(out: Path) -> Iterator[None]:
    """Wait for another process that builds `out`; it is found complete then.

    The lock is the kernel's, so it goes with the process.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.with_name(f".{out.name}.lock").open("a", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
