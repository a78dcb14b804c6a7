"""Compares scores with a model's golden outputs: texts whose scores were recorded at build time.

The one comparison that every gate uses: on the server before and after a switch, in the app's own
readiness check and verification, and on the laptop. Standard library only.
`app/tox_com_det/model/golden.py` is a link to this file, so the app carries its own copy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

__all__ = ["alike", "largest_difference", "mismatch", "spread"]


def largest_difference(
    expected: Sequence[float], labels: Sequence[str], scores: Mapping[str, object]
) -> float:
    """Return the largest absolute difference between golden and actual scores of one text.

    Args:
        expected: golden scores, one per label, in the order of `labels`.
        labels: names of the scores.
        scores: label -> score as `POST /predict` returns them.

    Returns:
        The difference; infinity for other labels, or a score that is not a finite number.
    """
    if sorted(scores) != sorted(labels):
        return math.inf
    worst = 0.0
    for label, wanted in zip(labels, expected, strict=True):
        score = scores[label]
        if isinstance(score, bool) or not isinstance(score, int | float):
            return math.inf
        if not math.isfinite(score):
            return math.inf
        worst = max(worst, abs(score - wanted))
    return worst


def mismatch(
    text: str,
    expected: Sequence[float],
    labels: Sequence[str],
    scores: Mapping[str, object],
    tolerance: float,
) -> str:
    """Return how the scores of a text differ from its golden output; "" if they match.

    Args:
        text: the golden output's text, quoted in the answer.
        expected: golden scores, one per label, in the order of `labels`.
        labels: names of the scores.
        scores: label -> score as `POST /predict` returns them.
        tolerance: largest absolute difference that still matches.
    """
    if sorted(scores) != sorted(labels):
        return f"the labels of {text!r} are {sorted(scores)}, expected {sorted(labels)}"
    for label, wanted in zip(labels, expected, strict=True):
        difference = largest_difference([wanted], [label], {label: scores[label]})
        if difference == math.inf:
            return f"{label} of {text!r} is {scores[label]!r}, not a finite number"
        if difference > tolerance:
            return (
                f"{label} of {text!r} is {scores[label]:.6f}, expected {wanted:.6f} "
                f"(tolerance {tolerance:g})"
            )
    return ""


def spread(scores: Sequence[Sequence[float]]) -> float:
    """Return by how much the scores of different texts differ.

    Args:
        scores: of each text, one per label.

    Returns:
        The largest difference between two texts' scores of one label.
    """
    return max((max(one) - min(one) for one in zip(*scores, strict=True)), default=0.0)


def alike(scores: Sequence[Sequence[float]], tolerance: float) -> bool:
    """Return whether golden outputs prove nothing, because they are all the same.

    A model that gives the same scores to every text would match them all.

    Args:
        scores: of each text, one per label.
        tolerance: largest absolute difference that still matches.
    """
    return spread(scores) <= 2 * tolerance
