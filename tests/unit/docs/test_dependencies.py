"""docs/dependencies.md names every package that is installed on purpose, and no other."""

from __future__ import annotations

import re
from fnmatch import fnmatch

import pytest
from documents import ROOT

PAGE = ROOT / "docs" / "dependencies.md"


def required(*lists: str) -> set[str]:
    """Return the packages that lists of requirements name."""
    names = set()
    for name in lists:
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
            match = re.match(r"[A-Za-z][\w.-]*", line)
            if match:
                names.add(match[0].lower())
    return names


def explained(heading: str) -> set[str]:
    """Return the packages in the first column of the table below a heading, without versions."""
    section = PAGE.read_text(encoding="utf-8").partition(f"## {heading}")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (.+?) \|", section, re.MULTILINE)
    return {part.split()[0] for cell in cells[1:] for part in cell.split(", ")}


@pytest.mark.parametrize(
    ("heading", "lists"),
    [
        ("On the laptop", ("requirements/controller.in", "requirements/laptop.in")),
        ("For training", ("requirements/training.in",)),
        (
            "On the server",
            tuple(
                f"app/requirements/{name}.in"
                for name in ("app", "debian13", "debian12", "el9", "el7")
            ),
        ),
        (
            "For comparisons",
            tuple(f"requirements/bench/{name}.in" for name in ("article", "bentoml", "litserve")),
        ),
        (
            "For certificates",
            tuple(
                f"requirements/certbot/{name}.in"
                for name in ("certbot", "debian13", "debian12", "el9", "el7")
            ),
        ),
    ],
)
def test_every_required_package_has_its_reason(heading: str, lists: tuple[str, ...]) -> None:
    names, patterns = required(*lists), explained(heading)
    assert {name for name in names if not any(fnmatch(name, one) for one in patterns)} == set()
    assert {one for one in patterns if not any(fnmatch(name, one) for name in names)} == set()
