"""Markdown: tables, shortened quotes, and the part of a document that a command writes."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

from controller.model_train.errors import TrainError

__all__ = ["BEGIN", "END", "number", "put", "quote", "table"]

BEGIN = "<!-- What follows up to the next such line is written by a command. -->"
END = "<!-- What is above was written by a command. -->"
_LONGEST = 90
_WIDTH = 100
# What would be a heading, a link, a picture or another cell.
_SPECIAL = "\\`*_{}[]<>#|!~"


def number(value: float, digits: int = 3) -> str:
    """A number as text, "-" for one that does not exist."""
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table and an empty one."""
    rule = ["---"] * len(header)
    return [*(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)), ""]


def quote(text: str) -> str:
    """A comment on one line, shortened, so that nothing in it is Markdown."""
    line = " ".join(text.split())
    line = line if len(line) <= _LONGEST else f"{line[: _LONGEST - 4].rstrip()} ..."
    return "".join(f"\\{one}" if one in _SPECIAL else one for one in line)


def put(document: str, lines: Sequence[str], where: str) -> str:
    """The document with these lines between the marks.

    Raises:
        TrainError: the marks are not there once each.
    """
    before, begin, rest = document.partition(f"{BEGIN}\n")
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in after:
        raise TrainError(f"{where}: has no place for the figures: put the two lines of marks in")
    return f"{before}{BEGIN}\n\n" + "\n".join(map(_wrapped, lines)) + f"\n{END}{after}"


def _wrapped(line: str) -> str:
    """A paragraph in lines of a readable width; tables, headings and pictures as they are."""
    if line.startswith(("|", "#", "!")):
        return line
    return textwrap.fill(line, _WIDTH, break_long_words=False, break_on_hyphens=False)
