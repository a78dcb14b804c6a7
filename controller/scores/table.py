"""Columns of a CSV file: pairs of text and score, and labelled comments."""

from __future__ import annotations

import codecs
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from controller.deploy.errors import DeployError
from controller.scores.csv_rows import Unreadable, header, parse
from controller.scores.texts import COLUMNS

__all__ = ["number", "read_labelled", "read_rows", "read_scores"]

Row = Mapping[str, str]
_SHOWN = 40


def read_rows(
    path: Path, wanted: Sequence[str], hint: str, score: str | None = None
) -> list[tuple[int, Row]]:
    """Return the rows of a CSV, each with the number of the line where it begins.

    Args:
        path: UTF-8, with a header.
        wanted: columns that it must have.
        hint: what to do if it has not.
        score: one of them, in a file of scores: there a last row that is half written is left out.

    Raises:
        DeployError: not readable, not UTF-8, not a CSV, without a column, or a row with another
            number of cells than the header.
    """
    # Without an end, a character that is half written at the end is left out.
    decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogatepass")
    try:
        content = decoder.decode(path.read_bytes(), final=score is None)
    except OSError as error:
        raise DeployError(f"{path}: {error.strerror}: {hint}") from None
    except UnicodeDecodeError as error:
        raise DeployError(f"{path}: not UTF-8 (byte {error.start}): convert it first") from None
    names = header(content)
    missing = [name for name in wanted if name not in names]
    if missing:
        raise DeployError(f"{path}: no column {', '.join(missing)} in its header: {hint}")
    try:
        rows, _ = parse(content, score=names.index(score) if score else None)
    except Unreadable as error:
        raise DeployError(f"{path}: {error}") from None
    return [(line, dict(zip(names, cells, strict=True))) for line, cells in rows[1:]]


def number(path: Path, line: int, column: str, value: str) -> float:
    """Return a cell's number from 0 to 1. Raises DeployError: it is none."""
    try:
        found = float(value)
    except ValueError:
        found = math.nan
    if not 0 <= found <= 1:
        raise DeployError(
            f"{path}: line {line}: {column} is {value[:_SHOWN]!r}, expected a number from 0 to 1: "
            "correct or remove the line"
        )
    return found


def read_scores(
    path: Path, column: str = "score", hint: str = "run `fab collect-scores`"
) -> dict[str, dict[str, float]]:
    """Return scores by text and attribute, of a file of `fab collect-scores`.

    Rows without a score are left out; of two for the same text and attribute the later one counts.

    Raises:
        DeployError: see `read_rows`; a score that is no number from 0 to 1.
    """
    found: dict[str, dict[str, float]] = {}
    for line, row in read_rows(path, ("text", "attribute", column), hint, column):
        if row[column]:
            score = number(path, line, column, row[column])
            found.setdefault(row["text"], {})[row["attribute"]] = score
    return found


def read_labelled(
    path: Path, column: str | None, labels: Sequence[str]
) -> dict[str, dict[str, bool]]:
    """Return the comments of a CSV with their labels, each comment once.

    Args:
        path: a column of comments, and one of 0 and 1 for each of some labels.
        column: of the comments; by default one that is named text, comment_text or alike.
        labels: names of columns; those that the file does not have are left out.

    Raises:
        DeployError: see `read_rows`; no column of comments or labels; a label that is not 0 or 1.
    """
    hint = "name a CSV file with comments and columns of labels"
    rows = read_rows(path, (), hint)
    columns = list(rows[0][1]) if rows else []
    names = [name for name in labels if name in columns]
    if not names:
        raise DeployError(
            f"{path}: no column of a label of the model ({', '.join(labels)}): {hint}"
        )
    chosen = column or next((name for name in COLUMNS if name in columns), COLUMNS[0])
    if chosen not in columns:
        raise DeployError(
            f"{path}: no column {chosen} among {', '.join(columns)}: name it with --column"
        )
    found: dict[str, dict[str, bool]] = {}
    for line, row in rows:
        if not row[chosen].strip():
            continue
        values = {name: number(path, line, name, row[name]) for name in names if row[name]}
        for name, value in values.items():
            if value not in (0, 1):
                raise DeployError(f"{path}: line {line}: {name} is {row[name]!r}, expected 0 or 1")
        found[row[chosen]] = {name: value == 1 for name, value in values.items()}
    return found
