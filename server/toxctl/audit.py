"""The audit log (deploys.jsonl): one JSON object a line for each attempt to change the server."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from collections.abc import Mapping
from typing import IO, Any

from toxctl.config import Config
from toxctl.files import clock, read_json, write_file
from toxctl.locks import login

__all__ = ["Attempt", "Audit", "release_of"]

AUDIT_BYTES = 1 << 20  # above this the older half is removed


class Attempt:
    """One attempt to change the server, from its first message to its line in the audit log."""

    def __init__(self, first: Mapping[str, Any], before: Mapping[str, Any] | None) -> None:
        self.first = {key: str(first.get(key) or "")[:200] for key in ("id", "task", "who")}
        self.begin = time.time()
        self.phase: str | None = None
        self.phase_began = self.begin
        self.phases: dict[str, float] = {}
        self.notes: dict[str, Any] = {}
        self.before = release_of(before)

    def next_phase(self, name: str | None) -> None:
        """End the current phase and begin another one; None begins none."""
        now = time.time()
        if self.phase is not None:
            spent = self.phases.get(self.phase, 0.0) + now - self.phase_began
            self.phases[self.phase] = round(spent, 2)
        if name is not None:
            self.phase, self.phase_began = name, now

    def content(self) -> dict[str, Any]:
        """Return what the lock's file says meanwhile; `so_far` is for a later audit line."""
        return {
            **self.first,
            "login": login(),
            "pid": os.getpid(),
            "since": clock(self.begin),
            "phase": self.phase,
            "seen": time.time(),
            "so_far": {
                "begin": self.begin,
                "phases": self.phases,
                "from": self.before,
                **self.notes,
            },
        }

    def line(
        self, result: str, reason: str | None, after: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """Return the attempt's line in the audit log; `after` is what is confirmed now."""
        self.next_phase(None)
        notes = {"from": self.before, "phases": self.phases, "begin": self.begin, **self.notes}
        if result == "done":
            notes.setdefault("to", release_of(after))
        return _line({**self.content(), "so_far": notes}, result, reason, time.time())


def release_of(confirmed: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return app and model of what was confirmed; None if nothing was."""
    return {key: confirmed.get(key) for key in ("app", "model")} if confirmed else None


def _line(
    content: Mapping[str, Any], result: str, reason: str | None, end: float
) -> dict[str, Any]:
    """Return a line of the audit log from the content of a lock's file."""
    so_far = dict(content.get("so_far") or {})
    begin = float(so_far.pop("begin", end))
    return {
        "from": None,
        "to": None,
        "hashes": {},
        "phases": {},
        **so_far,
        **{key: content.get(key) for key in ("id", "task", "who", "login", "phase")},
        "begin": clock(begin),
        "end": clock(end),
        "seconds": round(end - begin, 1),
        "result": result,
        "reason": reason,
    }


class Audit:
    """The attempts of the past, and the one that has not ended (attempt.json)."""

    def __init__(self, config: Config) -> None:
        self.path = os.path.join(config.state_dir, "deploys.jsonl")
        self.open_path = os.path.join(config.state_dir, "attempt.json")
        self.owed: Mapping[str, Any] | None = None  # a line for which a full disk had no room

    def keep(self, content: Mapping[str, Any]) -> None:
        """Store the current attempt: the lock's file does not survive a reboot."""
        with contextlib.suppress(OSError):  # on a full disk `fab prune` must begin all the same
            write_file(self.open_path, json.dumps(content) + "\n")

    def end(self, line: Mapping[str, Any]) -> None:
        """Write the line of the current attempt, after the one that is owed."""
        if self.owed is not None:
            self.add(self.owed)
            self.owed = None
        self.add(line)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.open_path)

    def add(self, line: Mapping[str, Any]) -> None:
        """Append a line and sync it; the older half is removed when the log is too long."""
        with open(self.path, "a+b") as file:
            if file.tell() and not _ends_with_newline(file):
                file.write(b"\n")  # after a line that a full disk or a power cut has truncated
            file.write(json.dumps(line, sort_keys=True).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        if size > AUDIT_BYTES:
            with open(self.path, "rb") as file:
                file.seek(size // 2)
                file.readline()
                rest = file.read()
            write_file(self.path, rest.decode("utf-8", "replace"))

    def newest(self, count: int) -> list[dict[str, Any]]:
        """Return the last attempts, the newest first."""
        try:
            with open(self.path, encoding="utf-8", errors="replace") as file:
                lines = file.readlines()
        except FileNotFoundError:
            return []
        found: list[dict[str, Any]] = []
        for line in reversed(lines):
            with contextlib.suppress(ValueError, RecursionError):
                if len(found) < count and isinstance(value := json.loads(line), dict):
                    found.append(value)
        return found

    def end_left_over(
        self,
        lock: str,
        result: str = "cut off",
        reason: str = "the session was killed, or the server went down",
    ) -> None:
        """Write the line of a holder that ended without one. The caller holds the lock.

        On a full disk `end` writes it, before the next one: `fab prune` must begin all the same.
        """
        kept, held = read_json(self.open_path), read_json(lock)
        if not isinstance(kept, dict):
            return
        if isinstance(held, dict) and held.get("id") == kept.get("id"):
            kept = held  # newer: it also has the last heartbeat
        end = float(kept.get("seen") or time.time())
        line = _line(kept, result, reason, end)
        try:
            self.end(line)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            self.owed = line


def _ends_with_newline(file: IO[bytes]) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"
