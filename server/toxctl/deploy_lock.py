"""The deploy lock: who holds it, taking it away, and working under it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from typing import IO, Any

from toxctl.audit import Attempt, Audit
from toxctl.config import Config
from toxctl.errors import ToxctlError
from toxctl.files import read_json, write_file
from toxctl.locks import is_held, login, open_lock, try_lock, write_holder
from toxctl.slots import Slots

__all__ = ["deploy_lock", "holder_now", "locked", "unlock", "unlocked_by"]

UNLOCK_SECONDS = 5.0
SILENT_SECONDS = 15.0


def holder_of(path: str) -> dict[str, Any]:
    """Return who holds the lock, and as `silent` the seconds since their last heartbeat."""
    content: Any = None
    for _ in range(20):  # it may be written at this moment
        content = read_json(path)
        if isinstance(content, dict):
            break
        time.sleep(0.05)
    holder: dict[str, Any] = {**content} if isinstance(content, dict) else {}
    holder.pop("so_far", None)
    silent = time.time() - float(holder.get("seen") or time.time())
    holder["silent"] = round(max(0.0, silent), 1)
    return holder


def holder_now(config: Config) -> dict[str, Any] | None:
    """Return who holds the deploy lock; None if it is free."""
    path = config.deploy_lock_file
    return holder_of(path) if is_held(path) else None


def locked(path: str) -> ToxctlError:
    """Return the error for a deploy lock that another process holds."""
    holder = holder_of(path)
    silent = holder["silent"]
    stale = f", no heartbeat for {silent:.0f} s" if silent > SILENT_SECONDS else ""
    message = (
        f"locked by {holder.get('who') or 'an unknown user'} with "
        f"{holder.get('task') or 'a deploy'} since {holder.get('since')} "
        f"(phase {holder.get('phase')}{stale}): wait, or run `fab unlock`"
    )
    return ToxctlError(message, "locked", holder=holder)


@contextlib.contextmanager
def deploy_lock(config: Config, task: str, session: str | None) -> Iterator[None]:
    """Hold the deploy lock, or work as part of the session that holds it.

    Args:
        task: what the lock's file says meanwhile.
        session: id of that session; None takes the lock.

    Raises:
        ToxctlError: kind `locked`.
    """
    path = config.deploy_lock_file
    with open_lock(path) as file:
        if try_lock(file):
            if session:
                raise ToxctlError(f"session {session} has ended", "locked", holder=None)
            Audit(config).end_left_over(path)
            first = {"id": f"{task}-{os.getpid()}", "task": task, "who": login()}
            write_holder(file, Attempt(first, Slots(config).confirmed()).content())
            try:
                yield
            finally:
                write_holder(file, None)
            return
    error = locked(path)
    if not session or error.more["holder"].get("id") != session:
        raise error
    yield


def unlock(config: Config, by: str) -> dict[str, Any] | None:
    """End the session that holds the deploy lock; return who held it, None if nobody did.

    Args:
        by: who asks, for the audit log.

    Raises:
        ToxctlError: kind `activating` while a switch is running; the session cannot be ended.
    """
    if is_held(config.lock_file):
        raise ToxctlError(
            "an activation is running: wait until it has ended (a minute at most), "
            "or undo it with `sudo toxctl stop` on the server",
            "activating",
        )
    path, audit = config.deploy_lock_file, Audit(config)
    with open_lock(path) as file:
        if try_lock(file):
            audit.end_left_over(path)
            write_holder(file, None)
            return None
        holder = holder_of(path)
        pid = holder.get("pid")
        if not isinstance(pid, int):
            see = f"see `sudo fuser -v {path}` on the server"
            raise ToxctlError(f"{path} does not say who holds it: {see}")
        write_file(path + ".by", by[:200] + "\n")
        try:
            if _end_process(pid, file):
                audit.end_left_over(path, "unlocked", f"by {by}")
                write_holder(file, None)
                return holder
        finally:
            with contextlib.suppress(OSError):
                os.unlink(path + ".by")
    raise ToxctlError(
        f"process {pid} still holds {path} although it was killed: rerun `fab unlock`; if that "
        "ends in the same words, `sudo reboot` on the server ends it"
    )


def _end_process(pid: int, file: IO[str]) -> bool:
    """End the process that holds the lock of an open file; return whether the lock is ours."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        limit = time.monotonic() + UNLOCK_SECONDS
        # At least once, also if the signal alone took all the time.
        while True:
            if try_lock(file):
                return True
            if time.monotonic() > limit:
                break
            time.sleep(0.05)
    return False


def unlocked_by(config: Config) -> str:
    """Return who asked for the lock, as `unlock` left it beside the lock; "" if nobody did."""
    try:
        with open(config.deploy_lock_file + ".by", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""
