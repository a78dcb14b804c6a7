"""Make scores probabilities: Platt's scaling, one slope and offset per label.

sigmoid(slope * logit + offset) is fitted to comments that the network was not trained on. A slope
and an offset per label are what a dense layer's kernel and bias take, so the calibrated model is an
ordinary Keras model. Source: J. Platt, Probabilistic Outputs for Support Vector Machines (1999),
with his targets for small classes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Scaling", "fit", "fold"]

# With fewer of a class, a slope would follow single comments.
LEAST_OF_A_CLASS = 10
_STEPS = 100
_SMALL = 1e-8


class Scaling(NamedTuple):
    """Slopes and offsets, float64 [labels]."""

    slopes: NDArray[np.float64]
    offsets: NDArray[np.float64]


def fit(logits: NDArray[np.float32], targets: NDArray[np.float32]) -> Scaling:
    """Fit each label to the comments that have it.

    A label with fewer than LEAST_OF_A_CLASS comments of a class keeps its logits, and so does one
    whose logits say the opposite of its targets.

    Args:
        logits: [comments, labels].
        targets: from 0 to 1, NaN where a comment is not labelled.
    """
    labels = logits.shape[1]
    slopes, offsets = np.ones(labels), np.zeros(labels)
    for label in range(labels):
        given = ~np.isnan(targets[:, label])
        target = targets[given, label].astype(np.float64)
        positive, negative = int((target > 0.5).sum()), int((target <= 0.5).sum())
        if min(positive, negative) < LEAST_OF_A_CLASS:
            continue
        slope, offset = _newton(logits[given, label].astype(np.float64), target)
        if slope > 0:
            slopes[label], offsets[label] = slope, offset
    return Scaling(slopes, offsets)


def fold(
    kernel: NDArray[np.float32], bias: NDArray[np.float32], scaling: Scaling
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Kernel [units, labels] and bias [labels] of the dense layer that gives scaled logits."""
    return (
        (kernel * scaling.slopes).astype(np.float32),
        (bias * scaling.slopes + scaling.offsets).astype(np.float32),
    )


def _newton(logit: NDArray[np.float64], target: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and offset of the least cross-entropy, by Newton's method with halved steps."""
    positives, size = target.sum(), len(target)
    # Platt's targets: a class of few comments does not ask for scores of exactly 0 or 1.
    high, low = (positives + 1) / (positives + 2), 1 / (size - positives + 2)
    goal = low + target * (high - low)
    found = np.array([1.0, 0.0])
    columns = np.stack([logit, np.ones(size)])
    loss = _loss(found, columns, goal)
    for _ in range(_STEPS):
        score = _sigmoid(found @ columns)
        slope = columns @ (score - goal)
        curve = (columns * (score * (1 - score))) @ columns.T + _SMALL * np.eye(2)
        step = np.linalg.solve(curve, slope)
        while (reached := _loss(found - step, columns, goal)) > loss and np.abs(
            step
        ).max() > _SMALL:
            step /= 2
        if reached > loss or np.abs(step).max() < _SMALL:
            break
        found, loss = found - step, reached
    return float(found[0]), float(found[1])


def _loss(
    found: NDArray[np.float64], columns: NDArray[np.float64], goal: NDArray[np.float64]
) -> float:
    logit = found @ columns
    return float((np.logaddexp(0.0, logit) - goal * logit).sum())


def _sigmoid(logit: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-np.clip(logit, -500.0, 500.0)))
