"""Find the files that each linter checks: the only place that decides it.

Usage: python scripts/lint_files.py python|shell|text

Prints one path a line, relative to the project. A file is found by its suffix or by its first line
(`#!/usr/bin/env python3`), so a program without a suffix is checked like any other.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
SUFFIXES = {".py": "python", ".pyi": "python", ".sh": "shell", ".bash": "shell"}
SHEBANG = re.compile(
    rb"#!\s*/\S*?/(?:env\s+(?:-S\s+)?)?(?:(?P<python>(?:platform-)?python)|(?:ba|da)?sh\b)"
)
# Jinja, not yet Python or shell. tests/unit/roles parses the files that the templates become.
TEMPLATE = ".j2"
# Left out where Git cannot list the files, for example in an unpacked archive.
GENERATED = {".ansible", ".git", ".mypy_cache", ".nanode", ".pytest_cache", ".ruff_cache", ".venv"}
GENERATED |= {".venv-training", "__pycache__", "build"}


def project_files(root: Path = PROJECT) -> list[Path]:
    """Return the project's files, relative to `root`, sorted.

    New files that Git does not ignore are included. Symbolic links are not: their target is a file
    of the project itself.
    """
    paths = _listed(root) if (root / ".git").exists() else None
    if paths is None:
        paths = _walked(root)
    return sorted(p for p in paths if (root / p).is_file() and not (root / p).is_symlink())


def _listed(root: Path) -> set[Path] | None:
    """Return the files that Git lists, None if it refuses (a checkout of another user)."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(  # noqa: S603 (constant words, no shell)
        command, cwd=root, check=False, stdout=subprocess.PIPE
    )
    if done.returncode != 0:
        return None
    return {Path(os.fsdecode(name)) for name in done.stdout.split(b"\0") if name}


def _walked(root: Path) -> set[Path]:
    found = set()
    for directory, below, files in os.walk(root):
        below[:] = [one for one in below if one not in GENERATED and not one.endswith(".egg-info")]
        found |= {Path(directory, name).relative_to(root) for name in files}
    return found


def language(path: Path) -> str | None:
    """Return "python" or "shell", or None for any other file."""
    if path.suffix == TEMPLATE:
        return None
    if path.suffix in SUFFIXES:
        return SUFFIXES[path.suffix]
    with path.open("rb") as file:
        found = SHEBANG.match(file.readline(200))
    if not found:
        return None
    return "python" if found["python"] else "shell"


def files_of(kind: str, root: Path = PROJECT) -> list[Path]:
    """Return the files of one language, or with "text" every file of the project."""
    files = project_files(root)
    return files if kind == "text" else [path for path in files if language(root / path) == kind]


def main(arguments: list[str]) -> int:
    """Print the files of the kind that the only argument names."""
    if len(arguments) != 1 or arguments[0] not in ("python", "shell", "text"):
        print("usage: lint_files.py python|shell|text", file=sys.stderr)
        return 2
    for path in files_of(arguments[0]):
        print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
