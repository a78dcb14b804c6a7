"""Locks of the kernel on files, and the text in such a file that says who holds it.

The kernel drops a lock with the process that holds it, so a lock can never be stale; the text can.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import time
from collections.abc import Iterator
from typing import IO, Any

from toxctl.errors import ToxctlError
from toxctl.files import read_json

__all__ = [
    "activation",
    "activation_holder",
    "activation_pid",
    "is_held",
    "login",
    "open_lock",
    "try_lock",
    "write_holder",
]

CHECK_SECONDS = 60.0  # only a process that hangs checks for so long


def login() -> str:
    """Return the user who called this program, before sudo."""
    return os.environ.get("SUDO_USER") or getpass.getuser()


def open_lock(path: str) -> IO[str]:
    """Open a lock's file, whether it exists or not."""
    return open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+", encoding="utf-8")


def try_lock(file: IO[str] | int, how: int = fcntl.LOCK_EX) -> bool:
    """Take the lock of an open file; return whether that succeeded.

    A process that only checks (LOCK_SH) holds the lock for a moment itself. It is waited for, since
    on a busy machine that moment may be long. Of a lock that is held, taking it is tried a few
    times.
    """
    limit = time.monotonic() + CHECK_SECONDS
    tries = 1 if how == fcntl.LOCK_SH else 5
    while not _flock(file, how):
        if _flock(file, fcntl.LOCK_SH):
            fcntl.flock(file, fcntl.LOCK_UN)
            if time.monotonic() > limit:
                return False
        else:
            tries -= 1
            if not tries:
                return False
        time.sleep(0.02)
    return True


def _flock(file: IO[str] | int, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_held(path: str) -> bool:
    """Return whether a process holds the lock."""
    with open_lock(path) as file:
        return not try_lock(file, fcntl.LOCK_SH)


def write_holder(file: IO[str], content: dict[str, Any] | None) -> None:
    """Write into a lock's file who holds it; None empties it."""
    file.seek(0)
    file.truncate()
    if content is not None:
        json.dump(content, file)
    file.flush()


@contextlib.contextmanager
def activation(path: str) -> Iterator[None]:
    """Hold the activation lock.

    Raises:
        ToxctlError: another process holds it; kind `activating`.
    """
    with open_lock(path) as file:
        if not try_lock(file):
            holder = activation_holder(path)
            words = "by {who}, pid {pid}, since {since}".format(**holder) if holder else "unknown"
            raise ToxctlError(
                f"another activation is running ({words}): wait until it has ended, then try again",
                "activating",
            )
        since = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        write_holder(file, {"who": login(), "pid": os.getpid(), "since": since})
        try:
            yield
        finally:
            write_holder(file, None)


def activation_holder(path: str) -> dict[str, Any] | None:
    """Return {who, pid, since} as an activation lock's file has it; None if nobody holds it."""
    try:
        content = read_json(path)
        holder = {key: content[key] for key in ("who", "pid", "since")}
        if os.path.exists(f"/proc/{int(holder['pid'])}"):
            return holder
    except (ValueError, KeyError, TypeError):
        pass
    return None  # or it was killed: then the kernel has dropped its lock


def activation_pid(path: str) -> int | None:
    """Return the process that holds the activation lock at this moment; None if none does."""
    with contextlib.suppress(FileNotFoundError), open(path, "r+", encoding="utf-8") as file:
        for _ in range(20):  # it writes its name just after it has taken the lock
            if try_lock(file, fcntl.LOCK_SH):
                return None
            with contextlib.suppress(ValueError, KeyError, TypeError):
                return int(read_json(path)["pid"])
            time.sleep(0.05)
    return None
