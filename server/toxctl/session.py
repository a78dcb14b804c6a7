"""`toxctl session`: holds the deploy lock and writes the audit log while the laptop sends lines."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from typing import IO, Any

from toxctl import events, signals
from toxctl.audit import Attempt, Audit, release_of
from toxctl.config import Config
from toxctl.deploy_lock import locked, unlocked_by
from toxctl.errors import Interrupted, ToxctlError
from toxctl.locks import is_held, open_lock, try_lock, write_holder
from toxctl.slots import Slots

__all__ = ["hold"]

ACTIVATION_SECONDS = 180.0  # longer than any activation takes
RESULTS = ("done", "nothing", "failed", "interrupted")


def hold(config: Config) -> dict[str, Any]:
    """Hold the lock from the first line on standard input until `end`, or until its end.

    Lines are JSON objects: first {"id", "task", "who"}, then {"phase"}, {"note"}, {} as a
    heartbeat, and {"end": {"result", "reason"}}.

    Raises:
        ToxctlError: kind `locked`, `unlocked` (`fab unlock`) or `usage`.
    """
    signals.ignore_hangup()
    first = next(_messages(), None)
    if first is None or not all(isinstance(first.get(key), str) for key in ("id", "task", "who")):
        raise ToxctlError('the first line must be {"id": ..., "task": ..., "who": ...}', "usage")
    path, audit, slots = config.deploy_lock_file, Audit(config), Slots(config)
    with open_lock(path) as file:
        if not try_lock(file):
            raise locked(path)
        audit.end_left_over(path)
        attempt = Attempt(first, slots.confirmed())
        audit.keep(attempt.content())
        write_holder(file, attempt.content())
        try:
            signals.raise_on_termination()
            result, reason = _follow(config, file, attempt)
        except Interrupted:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            by = unlocked_by(config)
            result, reason = "unlocked", f"by {by}" if by else "by SIGTERM"
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        audit.end(attempt.line(result, reason, slots.confirmed()))
        write_holder(file, None)
    if result == "unlocked":
        raise ToxctlError(f"this attempt was unlocked {reason}", "unlocked")
    return {}


def _messages() -> Iterator[dict[str, Any]]:
    """Yield the laptop's lines; a last one without its end belongs to a lost connection."""
    while (line := sys.stdin.readline()).endswith("\n"):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise ToxctlError(f"not a JSON object: {line[:100]!r}", "usage")
        yield value


def _follow(config: Config, file: IO[str], attempt: Attempt) -> tuple[str, str | None]:
    """Keep the lock while the laptop sends lines; return how the attempt ended and why."""
    events.result({"id": attempt.first["id"]}, f"holding the lock for {attempt.first['task']}")
    invalid = ""
    try:
        for message in _messages():
            end = _take(message, attempt)
            if end is not None:
                return end
            # First where it survives a reboot: a reader of the lock may end this process.
            if message:
                Audit(config).keep(attempt.content())
            write_holder(file, attempt.content())
    except ToxctlError as error:
        invalid = f": {error}"
    # The laptop is gone. What it has started here may still be switching slots: the lock stays.
    limit = time.monotonic() + ACTIVATION_SECONDS
    while is_held(config.lock_file) and time.monotonic() < limit:
        time.sleep(0.2)
    attempt.notes["live"] = release_of(Slots(config).confirmed())
    return "interrupted", f"the connection to the laptop was lost in phase {attempt.phase}{invalid}"


def _take(message: dict[str, Any], attempt: Attempt) -> tuple[str, str | None] | None:
    """Take a message into the attempt; return (result, reason) if it ends it."""
    if set(message) - {"phase", "note", "end"}:
        raise ToxctlError(f"unknown: {sorted(message)}", "usage")
    if isinstance(message.get("phase"), str):
        attempt.next_phase(message["phase"])
    if isinstance(message.get("note"), dict):
        attempt.notes.update(message["note"])
    end = message.get("end")
    if not isinstance(end, dict):
        return None
    if end.get("result") not in RESULTS:
        raise ToxctlError(f"no result: {end.get('result')!r}", "usage")
    return end["result"], end.get("reason")
