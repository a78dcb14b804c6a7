"""Read a word index that is a table: CSV or TSV with the columns word and index, in either order.

The separator is a comma, a semicolon, a tab or blanks; the first line may name the columns. A text
is taken for a table if most of its first lines are one word and one number, so that a list of
words, which has no second column, may still contain a comma.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Row = tuple[str, int]

# Of ASCII only: to Keras, a no-break space is a word or a part of one.
BLANKS = " \t\r\f\v"
SEPARATORS = ("\t", ",", ";", " ")
_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", " ": "blanks"}
_SAMPLED_LINES = 1000
_SHOWN = 40
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?")
_INDEX = re.compile(r"-?(0|[1-9][0-9]{0,9})")
_WORD_NAMES = ("word", "words", "token", "tokens", "term")
_INDEX_NAMES = ("index", "idx", "id", "number", "word_index")
_COLUMN_NAMES = (*_WORD_NAMES, "terms", "vocab", "vocabulary", "0")
_COUNT_NAMES = ("count", "counts", "frequency", "freq", "word_count", "word_counts", "occurrences")


class TableError(ValueError):
    """A table without a word index in it; the message names the line."""


@dataclass(frozen=True)
class Table:
    """Where the columns of a table are.

    Attributes:
        separator: between the columns.
        width: number of columns.
        word, index: places of the two columns.
        header: whether the first line names the columns.
    """

    separator: str
    width: int
    word: int
    index: int
    header: bool

    def rows(self, lines: Sequence[str]) -> Iterator[Row]:
        """The words with their indices.

        Raises:
            TableError: the first line that is not a word and an index.
        """
        for number, line in enumerate(lines, start=1):
            if number == 1 and self.header:
                continue
            if not line.strip(BLANKS):
                raise TableError(f"line {number} is empty: remove it")
            fields = _fields(line, self.separator)
            if len(fields) != self.width:
                raise TableError(
                    f"line {number} is {_shown(line)}, which has not the {self.width} columns, "
                    f"separated by {_NAMES[self.separator]}, of the other lines: write a word that "
                    "contains the separator in quotation marks"
                )
            word, index = fields[self.word], fields[self.index]
            if not _INDEX.fullmatch(index.strip()):
                raise TableError(
                    f"line {number} is {_shown(line)}: {index.strip()!r} is not an index, which is "
                    "an integer from 1"
                )
            if not word.strip(BLANKS):
                raise TableError(f"line {number} is {_shown(line)}, without a word: remove it")
            yield word.strip(BLANKS), int(index)


def is_column_name(line: str) -> bool:
    """Whether a line looks like the name of the only column; pandas writes 0 for one without."""
    return line.lower() in _COLUMN_NAMES


def find_table(lines: Sequence[str]) -> Table | None:
    """Where a text has its words and indices; None for a text that is not a table.

    Raises:
        TableError: a table, but not of words and indices.
    """
    for separator in SEPARATORS:
        named = _named(lines, separator)
        if named is not None:
            return named
    sample = lines[1:_SAMPLED_LINES] if len(lines) > 1 else lines
    for separator in SEPARATORS:
        rows = [_fields(line, separator) for line in sample]
        _refuse_nameless(lines[0], separator, rows)
        pairs = [row for row in rows if len(row) == 2]
        # Where both columns are numbers, the word is one, such as a year.
        numbers = [[_is_number(row[place]) for row in pairs] for place in (0, 1)]
        if 2 * sum(map(any, zip(*numbers, strict=True))) <= len(rows):
            continue
        counts = [sum(column) for column in numbers]
        if counts[0] == counts[1]:
            raise TableError(
                f"line 1 is {_shown(lines[0])}, and both columns hold numbers: name the columns in "
                f"a first line, word{separator}index"
            )
        index = int(counts[1] > counts[0])
        first = _fields(lines[0], separator)
        header = len(first) == 2 and len(lines) > 1 and _is_header(first, index)
        return Table(separator, 2, 1 - index, index, header)
    return None


def _refuse_nameless(first: str, separator: str, rows: Sequence[Sequence[str]]) -> None:
    """Refuse more than two columns without names, of which one has numbers in most lines."""
    width = len(rows[0])
    wide = [row for row in rows if len(row) == width and any(map(_is_number, row))]
    if width > 2 and 2 * len(wide) > len(rows):
        raise TableError(
            f"line 1 is {_shown(first)}, and there are {width} columns: name them in a first line, "
            f"two of them word and index, separated by {_NAMES[separator]}"
        )


def _is_header(fields: list[str], index: int) -> bool:
    """Whether a first line names the columns; pandas leaves the name of its index empty."""
    return not _is_number(fields[index]) or not fields[1 - index].strip()


def _named(lines: Sequence[str], separator: str) -> Table | None:
    """The columns that the first line names."""
    names = [name.strip().lower() for name in _fields(lines[0], separator)]
    words = [place for place, name in enumerate(names) if name in _WORD_NAMES]
    indices = [place for place, name in enumerate(names) if name in _INDEX_NAMES]
    counts = [name for name in names if name in _COUNT_NAMES]
    if len(names) < 2 or len(words) != 1:
        return None
    if len(indices) == 1:
        return Table(separator, len(names), words[0], indices[0], header=True)
    if counts and not indices:
        raise TableError(
            f"line 1 names the columns {', '.join(map(repr, names))}: {counts[0]!r} says how often "
            "a word occurs, not which row it has: write tokenizer.word_index, not word_counts"
        )
    return None


def _fields(line: str, separator: str) -> list[str]:
    """The columns of a line; quotation marks that do not pair belong to the word."""
    if separator == " ":
        return re.split(" +", line.strip(" "))
    if '"' not in line:
        return line.split(separator)
    try:
        return next(csv.reader([line], delimiter=separator, strict=True))
    except csv.Error:
        return line.split(separator)


def _is_number(field: str) -> bool:
    return _NUMBER.fullmatch(field.strip()) is not None


def _shown(line: str) -> str:
    return repr(line if len(line) <= _SHOWN else line[: _SHOWN - 3] + "...")
