"""Rows of a CSV file: what is no row is refused with its line, not left out or shortened."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Line", "Unreadable", "header", "parse"]

# The number of the line where a row begins, and its cells.
Line = tuple[int, list[str]]
_ENDS = ("\n", "\r")


class Unreadable(Exception):
    """A row that is none.

    Attributes:
        line: where it begins.
        why: behind the line's number in a message.
        hint: what to correct.
    """

    def __init__(self, line: int, why: str, hint: str) -> None:
        super().__init__(f"line {line} {why}: {hint}")
        self.line, self.why, self.hint = line, why, hint


def header(text: str, delimiter: str = ",") -> list[str]:
    """Return the names in the first row, none if it is no row."""
    with _cells_of_any_length():
        try:
            rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
            return next(filter(None, rows), [])  # as `parse`, without blank lines
        except csv.Error:
            return []


def parse(
    text: str, delimiter: str = ",", *, newline: str = "", score: int | None = None
) -> tuple[list[Line], int]:
    """Return the rows, the header first, and how many characters of the text they take.

    Args:
        text: of a CSV file. Blank lines are left out.
        delimiter: between cells.
        newline: what ends lines, as `io.StringIO` takes it.
        score: the place of a number from 0 to 1, in a file that a task appends to: its last row is
            left out where a killed process has left it half written.

    Raises:
        Unreadable: a row that is none, or has another number of cells than the header.
    """
    lines = _Counted(text, newline)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    rows: list[Line] = []
    start, end = 1, 0
    with _cells_of_any_length():
        try:
            for cells in reader:
                width = len(rows[0][1]) if rows else len(cells)
                if cells and len(cells) != width:
                    if score is not None and len(cells) < width and not lines.whole:
                        break
                    raise _other_cells(start, len(cells), width)
                if cells:
                    rows.append((start, cells))
                start, end = reader.line_num + 1, lines.read
        except csv.Error as error:
            cut = bool(rows) and score is not None and lines.ended
            if not cut or _has_rows(text[end:], delimiter, len(rows[0][1]), score):
                raise Unreadable(
                    start, f"cannot be read ({error})", "correct the quotation marks there"
                ) from None
    return rows, end


class _Counted:
    """Lines of a text.

    Attributes:
        read: characters of the lines that were taken.
        whole: whether the last of them has its line end.
        ended: whether more was asked for than there is.
    """

    def __init__(self, text: str, newline: str) -> None:
        self._lines = io.StringIO(text, newline=newline)
        self.read, self.whole, self.ended = 0, True, False

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.read += len(line)
            self.whole = line.endswith(_ENDS)
            yield line
        self.ended = True


def _other_cells(line: int, cells: int, names: int) -> Unreadable:
    return Unreadable(
        line,
        f"has {cells} cells, the header has {names}",
        "put texts with a delimiter or a line break in quotation marks",
    )


def _has_rows(tail: str, delimiter: str, width: int, score: int | None) -> bool:
    """Whether whole rows follow the first line: it was not cut, a quotation mark is left open."""
    for line in list(io.StringIO(tail, newline=""))[1:]:
        cells = next(csv.reader([line], delimiter=delimiter), [])
        if line.endswith(_ENDS) and len(cells) == width and _is_share(cells[score or 0]):
            return True
    return False


def _is_share(cell: str) -> bool:
    try:
        return 0 <= float(cell) <= 1
    except ValueError:
        return False


@contextmanager
def _cells_of_any_length() -> Iterator[None]:
    # A comment may be longer than the csv module's own limit of 131,072 characters.
    limit = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(limit)
