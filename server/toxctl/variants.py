"""The directories that hold the same version of the app: `<version>`, then `<version>.2` and so on.

A release that is damaged or was never recorded is not repaired in place, because a slot may run it:
the same version is installed beside it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from toxctl import damage, files, integrity
from toxctl.config import Config

__all__ = ["Installed", "find", "names"]


class Installed(NamedTuple):
    """What is installed of a version.

    Attributes:
        path: of one whose files are as they were recorded; None if there is none.
        problems: of the others, each with its name.
    """

    path: str | None
    problems: list[str]


def names(version: str) -> Iterator[str]:
    """Yield the names for a version, without end."""
    yield version
    number = 2
    while True:
        yield f"{version}.{number}"
        number += 1


def find(config: Config, version: str, read_only: bool = False) -> Installed:
    """Return what is installed of a version; a lost mark is restored if the files are whole.

    Args:
        read_only: nothing is written, for a dry run.
    """
    pattern = re.compile(re.escape(version) + r"(\.\d+)?")
    problems = []
    for path in files.directories(config.releases_dir):
        name = os.path.basename(path)
        if not pattern.fullmatch(name):
            continue
        if not (files.is_complete(path) if read_only else integrity.completed(path)):
            problems.append(f"{name} is not complete")
            continue
        finding = integrity.inspect(path) if read_only else damage.inspect(config, path)
        if finding.state == integrity.WHOLE:
            return Installed(path, problems)
        what = integrity.words(finding.problems) or "no hashes recorded"
        problems.append(f"{name}: {what}")
    return Installed(None, problems)
