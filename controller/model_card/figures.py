"""Figures of a model on labelled comments: ranking, calibration, thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.model_train.data import Comments
from controller.model_train.metrics import (
    Interval,
    average_precision,
    bootstrap,
    calibration_error,
    roc_auc,
)
from controller.scores.tune import Choice, Curve

__all__ = ["AT", "PRECISION", "DataSet", "Decision", "LabelFigures", "decide", "label_figures"]

# Thresholds of the balanced accuracy, and the precision that a threshold is chosen for.
AT = (0.5, 0.7)
PRECISION = 0.9
_SEED = 1


@dataclass(frozen=True)
class DataSet:
    """Labelled comments with a model's scores.

    Attributes:
        name: shown in the card.
        labels: of the model that the comments have; targets and scores are [comments, labels].
    """

    name: str
    labels: tuple[str, ...]
    comments: Comments
    scores: NDArray[np.float64]

    def of(self, label: str) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Whether the comments that are labelled have it, and their scores."""
        place = self.labels.index(label)
        targets = self.comments.targets[:, place]
        given = ~np.isnan(targets)
        return targets[given] > 0.5, self.scores[given, place]


@dataclass(frozen=True)
class Decision:
    """What a threshold does.

    Attributes:
        over: share of the comments without the label that it flags, over-moderation.
        under: share of the comments with it that it does not flag, under-moderation.
    """

    threshold: float
    over: float
    under: float

    @property
    def balanced_accuracy(self) -> float:
        """Mean of the accuracy on comments with the label and on those without."""
        return 1.0 - (self.over + self.under) / 2.0


@dataclass(frozen=True)
class LabelFigures:
    """Figures of a label; those that need both classes are NaN or None without them.

    Attributes:
        precise: the threshold of the highest recall with PRECISION; None: there is none.
        decisions: at the thresholds AT.
    """

    label: str
    comments: int
    positives: int
    auc: Interval
    precision: Interval
    calibration: float
    precise: Choice | None
    decisions: tuple[Decision, ...]


def decide(target: NDArray[np.bool_], score: NDArray[np.float64], threshold: float) -> Decision:
    """What a threshold does; NaN for a class without comments."""
    flagged = score >= threshold
    return Decision(threshold, _share(flagged[~target]), _share(~flagged[target]))


def label_figures(data: DataSet, rounds: int = 1000) -> list[LabelFigures]:
    """Figures of each label; `rounds` of the bootstrap."""
    return [_figures(label, *data.of(label), rounds) for label in data.labels]


def _figures(
    label: str, target: NDArray[np.bool_], score: NDArray[np.float64], rounds: int
) -> LabelFigures:
    curve = Curve(score.tolist(), target.tolist())
    return LabelFigures(
        label,
        len(target),
        int(target.sum()),
        bootstrap(roc_auc, target, score, _SEED, rounds),
        bootstrap(average_precision, target, score, _SEED, rounds),
        calibration_error(target, score),
        curve.for_precision(PRECISION),
        tuple(decide(target, score, one) for one in AT),
    )


def _share(flags: Sequence[bool] | NDArray[np.bool_]) -> float:
    return float(np.mean(flags)) if len(flags) else float("nan")
