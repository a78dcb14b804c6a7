"""Part comments into training, validation and held-out, each with some of every label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.model_train.data import Comments, Rows

__all__ = ["Parts", "part"]

VALIDATION_SHARE, HELD_OUT_SHARE = 0.1, 0.1


@dataclass(frozen=True)
class Parts:
    """What is trained on, what decides when to stop and how to calibrate, what is only measured.

    Attributes:
        calibration: comments in the proportions of those that will be scored; by default the
            validation part.
        unchanged: further texts to train on, which no hook changes.
        pool: texts of which each epoch has others (`Recipe.drawn`), which no hook changes.
    """

    training: Comments
    validation: Comments
    held_out: Comments
    calibration: Comments | None = None
    unchanged: Comments | None = None
    pool: Comments | None = None

    def every(self) -> list[Comments]:
        """All parts that there are."""
        more = (self.calibration, self.unchanged, self.pool)
        return [
            self.training,
            self.validation,
            self.held_out,
            *(one for one in more if one is not None),
        ]


def part(comments: Comments, seed: int) -> Parts:
    """80 % for training, 10 % for validation, 10 % held out, stratified by the rarest label.

    Equal comments and seeds give equal parts.
    """
    random = np.random.default_rng(seed)
    stratum = _strata(comments.targets)
    training: list[Rows] = []
    validation: list[Rows] = []
    held_out: list[Rows] = []
    for value in np.unique(stratum):
        rows = random.permutation(np.flatnonzero(stratum == value))
        held, valid = round(HELD_OUT_SHARE * len(rows)), round(VALIDATION_SHARE * len(rows))
        held_out.append(rows[:held])
        validation.append(rows[held : held + valid])
        training.append(rows[held + valid :])
    first, second, third = (
        comments.take(np.sort(np.concatenate(rows))) for rows in (training, validation, held_out)
    )
    return Parts(first, second, third)


def _strata(targets: NDArray[np.float32]) -> NDArray[np.int64]:
    """The rarest label that each text has, -1 for none."""
    positive = np.nan_to_num(targets) > 0.5
    stratum = np.full(len(targets), -1)
    for label in np.argsort(positive.sum(axis=0), kind="stable")[::-1]:
        stratum[positive[:, label]] = label
    return stratum
