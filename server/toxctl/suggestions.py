"""`toxctl suggestions`: suggested scores, as the app's own module counts and prints them.

It runs as the service's user, who may read and write them. No suggestion is in an error or a log.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from typing import Any

from toxctl import events, programs, signals, usable
from toxctl.config import Config
from toxctl.errors import ToxctlError
from toxctl.releases import app_for_modules
from toxctl.slots import Slots

__all__ = ["clear", "export", "report"]

SECONDS = 300.0
PROGRESS_SECONDS = 1.0
MODULE = "suggestions"


def report(config: Config) -> dict[str, Any]:
    """Return how many are stored: {"stored", "bytes", "oldest", "on", "max_mb", "days"}.

    Raises:
        ToxctlError: kind `database`, it does not answer; `other`, the app has no suggestions.
    """
    return _ask(config)


def clear(config: Config) -> dict[str, Any]:
    """Remove all of them; return {"cleared"}. Raises ToxctlError, see `report`."""
    return _ask(config, "--clear")


def export(config: Config) -> dict[str, Any]:
    """Print the columns and all suggestions as rows, with progress; return {"rows"}.

    It ends early if nothing reads them any more.

    Raises:
        ToxctlError: see `report`; kind `other`, no model is live.
    """
    slots = Slots(config)
    release = slots.pinned(slots.live())
    if release is None:
        raise ToxctlError(
            "no model is live, and its labels are columns of the export: run `fab deploy-model`"
        )
    usable.require_complete(config, "model", release.model)
    signals.raise_on_ending()
    rows = _Rows(report(config)["stored"])
    command, environment = _call(config, "--export", release.model)
    with tempfile.TemporaryFile("w+", errors="replace") as complaints:
        code = programs.stream(command, environment, complaints, rows.take)
        complaints.seek(0)
        details = complaints.read()[-4000:]
    if code or rows.number is None:
        message, kind = rows.problem or (f"the export ended with exit code {code}", "other")
        raise ToxctlError(message, kind, details)
    return {"rows": rows.number}


class _Rows:
    """Passes the app's lines on.

    Attributes:
        number: the app's own count, its last line.
        problem: message and kind of an error.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.number: int | None = None
        self.problem: tuple[str, str] | None = None
        self._done = 0
        self._shown_at = time.monotonic()

    def take(self, line: str) -> None:
        try:
            value = json.loads(line)
        except ValueError:
            return
        if "columns" in value:
            events.row(value["columns"])
        elif "row" in value:
            events.row(value["row"])
            self._done += 1
            self._show()
        elif "rows" in value:
            self.number = int(value["rows"])
        elif "error" in value:
            self.problem = str(value["error"]), str(value.get("kind", "other"))

    def _show(self) -> None:
        now = time.monotonic()
        # As text, the rows are a file that progress would damage.
        if events.is_json() and now >= self._shown_at + PROGRESS_SECONDS:
            self._shown_at = now
            events.progress("exporting", self._done, max(self._done, self.total), "")


def _ask(config: Config, *arguments: str) -> dict[str, Any]:
    command, environment = _call(config, *arguments)
    done = programs.run(command, SECONDS, environment)
    answer = programs.json_answer(done)
    if done.returncode or not answer:
        words = str(answer.get("error") or programs.last_line(done))
        raise ToxctlError(words, str(answer.get("kind") or "other"))
    return answer


def _call(config: Config, *arguments: str) -> tuple[list[str], dict[str, str]]:
    app = app_for_modules(config)
    if not os.path.isdir(os.path.join(app, "tox_com_det", MODULE)):
        raise ToxctlError(f"the app is too old to store suggestions: {usable.newer_app(config)}")
    command = programs.module(config, app, MODULE, *arguments)
    return command, programs.service_environment(config, app, perspective=True)
