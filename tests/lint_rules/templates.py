"""Templates have the managed header, and rendered files are validated before installation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml
from ansiblelint.file_utils import Lintable
from project_rule import ProjectRule, role_directory, tasks_of, templates_of

HEADER = re.compile(r"\{\{ ansible_managed \| comment(\('\w+'\))? \}\}$")
# An XML declaration or the interpreter of a script has to be the first line.
FIRST_LINE = re.compile(r"<\?xml [^>]*\?>$|#!/\S+( -\w+)?$")
JSON_BEGIN = ["{{ {", '"managed_by": ansible_managed,']
NO_CHECKER = re.compile(r"\bno check(er)?\b", re.IGNORECASE)
VARIABLE = re.compile(r"\{\{ (__\w+) \}\}$")


class TemplateHeader(ProjectRule):
    """Templates begin with the managed header."""

    id = "template-header"
    description = (
        "The first line is {{ ansible_managed | comment }}, the second after an XML declaration "
        "or the interpreter of a script. "
        "JSON, which has no comments, begins with the key managed_by."
    )

    def findings(self, file: Lintable) -> Iterator[tuple[int, str]]:
        if file.path.suffix != ".j2":
            return
        lines = file.content.splitlines()
        if file.path.name.endswith(".json.j2"):
            good = [line.strip() for line in lines[:2]] == JSON_BEGIN
        else:
            after = 1 if lines and FIRST_LINE.match(lines[0]) else 0
            good = len(lines) > after and bool(HEADER.match(lines[after]))
        if not good:
            yield 1, "the template does not begin with the managed header"


class TemplateValidation(ProjectRule):
    """Rendered files are validated before they replace the installed ones."""

    id = "template-validation"
    description = (
        "Each template task, and each template in a task `files`, has validate with %s in it. "
        "Where the program has no checker, a comment directly above says so: "
        '"no check" or "no checker".'
    )

    def findings(self, file: Lintable) -> Iterator[tuple[int, str]]:
        for line, arguments in (one for task in tasks_of(file) for one in templates_of(task)):
            if "validate" not in arguments:
                if not NO_CHECKER.search(_comment_above(file, line)):
                    yield line, "no validate, and no comment above that there is no checker"
            elif not all("%s" in one for one in _commands(str(arguments["validate"]), file)):
                yield line, "validate does not name the file (%s)"


def _comment_above(file: Lintable, line: int) -> str:
    """Return the comment lines directly above a line."""
    above: list[str] = []
    for text in reversed(file.content.splitlines()[: line - 1]):
        if not text.lstrip().startswith("#"):
            break
        above.insert(0, text.strip().lstrip("# "))
    return " ".join(above)


def _commands(validate: str, file: Lintable) -> list[str]:
    """Return the command, or its value on each system if it is a private variable."""
    match, role = VARIABLE.match(validate), role_directory(file)
    if not match or role is None:
        return [validate]
    contents = [_load(path) for path in sorted((role / "vars").glob("*.yml"))]
    return [str(one[match[1]]) for one in contents if match[1] in one] or [""]


def _load(path: Path) -> dict[str, object]:
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
