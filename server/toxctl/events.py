"""What toxctl prints: text for a terminal, or one JSON object a line for the laptop (`--json`)."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from toxctl.errors import ToxctlError

__all__ = [
    "error",
    "is_json",
    "listener_gone",
    "phase",
    "progress",
    "result",
    "row",
    "say",
    "start",
    "text",
]


class _State:
    """How this process prints, and whether anything still reads it."""

    json = False
    gone = False


def start(as_json: bool) -> None:
    """Choose the form of the output."""
    _State.json, _State.gone = as_json, False


def is_json() -> bool:
    """Return whether the output is JSON lines."""
    return _State.json


def listener_gone() -> bool:
    """Return whether the reader of the output has gone away (the laptop's connection broke)."""
    return _State.gone


def say(line: str) -> None:
    """Print a line about what is happening."""
    _put(json.dumps({"say": line}) if _State.json else line)


def phase(name: str) -> None:
    """Tell the laptop which part of an activation begins: `activate`, `confirm` or `watch`."""
    if _State.json:
        _put(json.dumps({"phase": name}))


def progress(what: str, done: int, total: int, line: str) -> None:
    """Report how far a step has come; `line` is the same as text."""
    value = {"progress": {"what": what, "done": done, "total": total}}
    _put(json.dumps(value) if _State.json else line)


def row(cells: Sequence[str]) -> None:
    """Print a row of a table; as text it is a row of a CSV file."""
    if _State.json:
        _put(json.dumps({"row": list(cells)}))
    elif not _State.gone:
        try:
            csv.writer(sys.stdout, lineterminator="\n").writerow(cells)
        except OSError:
            _lose_reader()


def result(value: dict[str, Any], text: str = "") -> None:
    """Print a verb's result; `text` is the readable form, nothing is printed if it is empty."""
    if _State.json:
        _put(json.dumps({"result": value}))
    elif text:
        _put(text)


def text(lines: str) -> None:
    """Print text that only a terminal gets; the JSON form has it in its last line."""
    if not _State.json:
        _put(lines)


def error(problem: ToxctlError) -> None:
    """Print the error that ended a verb: as the last JSON line, or on standard error."""
    if _State.json:
        _put(json.dumps(problem.answer()))
        return
    lines = [f"toxctl: {problem}", *([problem.details] if problem.details else [])]
    try:
        print("\n".join(lines), file=sys.stderr, flush=True)
    except OSError:  # the terminal is gone: there is nobody left to inform
        _State.gone = True


def _put(line: str) -> None:
    """Print a line at once. A reader that has gone away does not stop the work."""
    if _State.gone:
        return
    try:
        print(line, flush=True)
    except OSError:
        _lose_reader()


def _lose_reader() -> None:
    _State.gone = True
    # Otherwise the interpreter fails again when it flushes standard output at its end.
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (until the process ends)
