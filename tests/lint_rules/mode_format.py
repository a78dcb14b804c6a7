"""Modes of files are written in one way."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansiblelint.file_utils import Lintable
from project_rule import FILES, ProjectRule, as_list, entry_line, own_part, tasks_of

MODE = re.compile(r"0[0-7]{3}|\{\{.*\}\}")


class ModeFormat(ProjectRule):
    """Modes are four octal digits in quotes, or an expression, and each file has one."""

    id = "mode-format"
    description = (
        'mode: "0644". Numbers are reported by risky-octal too; this rule also rejects "644" and '
        "symbolic modes, whose result depends on the mode that the file had. Each file and "
        "directory of a task `files` has a mode; risky-file-permissions asks the builtin modules."
    )

    def findings(self, file: Lintable) -> Iterator[tuple[int, str]]:
        for task in tasks_of(file):
            for entry in as_list((task.get(FILES) or {}).get("files")):
                if "mode" not in entry and entry.get("state") not in ("link", "absent"):
                    yield entry_line(entry), "the file has no mode"
            for value in _values(own_part(task), "mode"):
                if not isinstance(value, str) or not MODE.fullmatch(value):
                    yield entry_line(task), f"the mode {value!r} is not four digits in quotes"


def _values(value: object, key: str) -> Iterator[object]:
    """Yield every value of the key, at any depth."""
    if isinstance(value, dict):
        for name, below in value.items():
            if name == key:
                yield below
            else:
                yield from _values(below, key)
    elif isinstance(value, list):
        for below in value:
            yield from _values(below, key)
