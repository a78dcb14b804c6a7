"""Measure scores: areas under curves and calibration, with intervals by bootstrap.

Each measure takes how often each text counts, so that a bootstrap sorts the scores once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Bin",
    "Interval",
    "average_precision",
    "bins",
    "bootstrap",
    "calibration_error",
    "mean_auc",
    "roc_auc",
]

Floats = NDArray[np.floating]
Measure = Callable[[NDArray[np.bool_], Floats, Floats], float]
BINS = 15


class Interval(NamedTuple):
    """A figure of all texts, and the 2.5th and 97.5th percentile of it over resampled texts."""

    value: float
    low: float
    high: float


class Bin(NamedTuple):
    """Texts whose scores are neighbours: their mean score, the share with the label, the number."""

    score: float
    share: float
    texts: int


def roc_auc(target: NDArray[np.bool_], score: Floats, counts: Floats | None = None) -> float:
    """Area under the ROC curve: Mann-Whitney's U, ties count half; NaN without both classes."""
    positive, negative = _steps(target, score, counts)
    total = positive.sum() * negative.sum()
    if not total:
        return float("nan")
    # Negatives above each group of equal scores, plus half of those in it.
    above = np.cumsum(negative) - negative / 2.0
    return float(1.0 - (positive * above).sum() / total)


def average_precision(
    target: NDArray[np.bool_], score: Floats, counts: Floats | None = None
) -> float:
    """Mean precision over the positives, at the threshold of each; NaN without positives."""
    positive, negative = _steps(target, score, counts)
    if not positive.sum():
        return float("nan")
    hits, flagged = np.cumsum(positive), np.cumsum(positive + negative)
    precision = np.divide(hits, flagged, out=np.zeros_like(hits), where=flagged > 0)
    return float((positive * precision).sum() / positive.sum())


def mean_auc(targets: Floats, scores: Floats) -> float:
    """Mean ROC-AUC of the labels, over the texts that have each; NaN targets are not labelled."""
    aucs = []
    for target, score in zip(targets.T, scores.T, strict=True):
        given = ~np.isnan(target)
        aucs.append(roc_auc(target[given] > 0.5, score[given]))
    return float(np.nanmean(aucs)) if not np.isnan(aucs).all() else float("nan")


def bootstrap(
    measure: Measure, target: NDArray[np.bool_], score: Floats, seed: int, rounds: int = 1000
) -> Interval:
    """A measure with its 95 % interval: texts are drawn with replacement, `rounds` times.

    NaN without texts.
    """
    if not len(score):
        return Interval(float("nan"), float("nan"), float("nan"))
    order = np.argsort(-score, kind="stable")
    target, score = target[order], score[order]
    random = np.random.default_rng(seed)
    size = len(score)
    value = measure(target, score, np.ones(size))
    found = []
    for _ in range(rounds):
        drawn = np.bincount(random.integers(0, size, size), minlength=size).astype(float)
        found.append(measure(target, score, drawn))
    if np.isnan(found).all():
        return Interval(value, float("nan"), float("nan"))
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return Interval(value, float(low), float(high))


def bins(target: NDArray[np.bool_], score: Floats, number: int = BINS) -> list[Bin]:
    """Bins of equal width from 0 to 1, without empty ones; the last includes 1."""
    place = np.minimum((score * number).astype(int), number - 1)
    return [
        Bin(float(score[inside].mean()), float(target[inside].mean()), int(inside.sum()))
        for inside in (place == one for one in range(number))
        if inside.any()
    ]


def calibration_error(target: NDArray[np.bool_], score: Floats, number: int = BINS) -> float:
    """Expected calibration error: mean of |share - mean score| over bins, by their texts.

    Bins have equal width; a score is the probability of the label, not of the likelier class. NaN
    without texts.
    """
    total = len(score)
    if not total:
        return float("nan")
    return sum(
        one.texts / total * abs(one.share - one.score) for one in bins(target, score, number)
    )


def _steps(
    target: NDArray[np.bool_], score: Floats, counts: Floats | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positives and negatives of each group of equal scores, the highest first."""
    if counts is None:
        counts = np.ones(len(score))
    if len(score) > 1 and (np.diff(score) > 0).any():
        order = np.argsort(-score, kind="stable")
        target, score, counts = target[order], score[order], counts[order]
    if not len(score):
        return np.zeros(0), np.zeros(0)
    starts = np.flatnonzero(np.append(True, np.diff(score) != 0))
    positive = np.add.reduceat(np.where(target, counts, 0.0), starts)
    return positive, np.add.reduceat(np.where(target, 0.0, counts), starts)
