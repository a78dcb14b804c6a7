"""Labelled comments of a CSV file: which columns are labels, and what is left out and why."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from controller.model_build.labels import label_problem
from controller.model_train.cells import Table, read_table
from controller.model_train.errors import TrainError

__all__ = ["LEAST_OF_A_CLASS", "LEAST_ROWS", "TEXT_COLUMN", "Comments", "check", "read_comments"]

TEXT_COLUMN = "comment_text"
# Fewer teach nothing that a figure could show.
LEAST_ROWS, LEAST_OF_A_CLASS = 100, 10
_SHOWN = 30
Say = Callable[[str], None]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Comments:
    """Texts with their targets.

    Attributes:
        texts: each once, none of them blank.
        targets: float32 [texts, labels] from 0 to 1, NaN where a text is not labelled.
        weights: float32 [texts], how much a text counts in the loss.
    """

    texts: list[str]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Rows) -> Comments:
        """The texts with these numbers."""
        return Comments([self.texts[row] for row in rows], self.targets[rows], self.weights[rows])

    def joined(self, *others: Comments) -> Comments:
        """These texts and those of others, which have the same labels."""
        every = (self, *others)
        return Comments(
            [text for one in every for text in one.texts],
            np.concatenate([one.targets for one in every]),
            np.concatenate([one.weights for one in every]),
        )


def read_comments(
    path: Path, labels: Sequence[str] = (), column: str = TEXT_COLUMN, say: Say = print
) -> tuple[Comments, tuple[str, ...]]:
    """Read a CSV of comments and labels, and say what is left out.

    A label's cell is 0, 1, a number between them (the share of people who agreed), or empty: not
    labelled. Texts that occur more than once are kept once, with the mean of their labels.

    Args:
        path: see `read_table`.
        labels: names of columns; by default every column of numbers from 0 to 1.
        column: of the comments.
        say: takes a line for each kind of what is left out.

    Returns:
        The comments, and the names of their labels.

    Raises:
        TrainError: see `read_table`; an unknown label, a cell that is no number from 0 to 1, no
            label or no comment.
    """
    table = read_table(path, column)
    rows = list(table.rows)
    names = _labels(table, rows, labels, column, say)
    places = [table.names.index(name) for name in names]
    text_place = table.names.index(column)
    found: dict[str, list[list[float]]] = {}
    blank = bare = 0
    for line, cells in rows:
        text = cells[text_place].strip()
        values = [_value(path, line, table.names[place], cells[place]) for place in places]
        if not text:
            blank += 1
        elif all(map(math.isnan, values)):
            bare += 1
        else:
            found.setdefault(text, []).append(values)
    repeated = sum(map(len, found.values())) - len(found)
    for count, what in (
        (blank, "without a text are left out"),
        (bare, "without any label are left out"),
        (repeated, "repeat a text: each text counts once, with the mean of its labels"),
    ):
        if count:
            say(f"{path}: {count} rows {what}")
    if not found:
        raise TrainError(f"{path}: no row has a text and a label: name another file with --data")
    targets = np.array([_mean(values) for values in found.values()], np.float32)
    return Comments(list(found), targets, np.ones(len(found), np.float32)), names


def check(comments: Comments, labels: Sequence[str], where: str) -> None:
    """Refuse what no model can be trained on.

    Raises:
        TrainError: too few comments, a label that too few of them have or have not, or a name of a
            label that the builder refuses.
    """
    for label in labels:
        if problem := label_problem(label):
            raise TrainError(f"{where}: {problem}")
    if len(comments) < LEAST_ROWS:
        raise TrainError(
            f"{where}: {len(comments)} comments are too few, at least {LEAST_ROWS} are needed "
            "(some thousands for a model of use): label more"
        )
    few = []
    for label, target in zip(labels, comments.targets.T, strict=True):
        positive, negative = int((target > 0.5).sum()), int((target <= 0.5).sum())
        if min(positive, negative) < LEAST_OF_A_CLASS:
            few.append(f"{label} ({positive} with it, {negative} without)")
    if few:
        good = [one for one in labels if not any(bad.startswith(f"{one} (") for bad in few)]
        advice = f"leave it out with --labels {','.join(good)}" if good else "label more comments"
        raise TrainError(
            f"{where}: too few comments of both kinds for {', '.join(few)}; at least "
            f"{LEAST_OF_A_CLASS} are needed: {advice}"
        )


def _labels(
    table: Table, rows: list[tuple[int, list[str]]], wanted: Sequence[str], column: str, say: Say
) -> tuple[str, ...]:
    others = [name for name in table.names if name != column]
    unknown = [name for name in wanted if name not in others]
    if unknown:
        raise TrainError(
            f"{table.path}: no column {', '.join(unknown)} for --labels: it has {', '.join(others)}"
        )
    if wanted:
        return tuple(dict.fromkeys(wanted))
    found = [name for name in others if _looks_like_a_label(table, rows, name)]
    left = [name for name in others if name not in found]
    if left:
        say(f"{table.path}: no labels (numbers from 0 to 1): {', '.join(left)}")
    if not found:
        raise TrainError(
            f"{table.path}: no column of labels: add a column of 0 and 1 for each score that the "
            "model shall give, or name them with --labels"
        )
    return tuple(found)


def _looks_like_a_label(table: Table, rows: list[tuple[int, list[str]]], name: str) -> bool:
    """Whether most cells are numbers from 0 to 1: a typing error does not make a label vanish."""
    place = table.names.index(name)
    cells = [row[place].strip() for _, row in rows]
    given = [cell for cell in cells if cell]
    return bool(given) and 2 * sum(_is_share(cell) for cell in given) > len(given)


def _is_share(cell: str) -> bool:
    try:
        return 0 <= float(cell) <= 1
    except ValueError:
        return False


def _value(path: Path, line: int, name: str, cell: str) -> float:
    cell = cell.strip()
    if not cell:
        return math.nan
    if not _is_share(cell):
        raise TrainError(
            f"{path}: line {line}: {name} is {cell[:_SHOWN]!r}, expected a number from 0 to 1 or "
            "nothing: correct it, or leave the column out with --labels"
        )
    return float(cell)


def _mean(values: list[list[float]]) -> list[float]:
    """Mean of each label over the rows that have it, NaN where none has."""
    columns = [
        [one for one in column if not math.isnan(one)] for column in zip(*values, strict=True)
    ]
    return [sum(column) / len(column) if column else math.nan for column in columns]
