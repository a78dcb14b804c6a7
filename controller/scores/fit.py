"""A map from the model's scores to Google's for each attribute, and how well decisions agree.

The map is that of the quantiles: the score that one in ten comments exceeds becomes Google's score
that one in ten exceeds. So a threshold flags as many comments as it did. An isotonic regression,
which estimates the mean, flags too few of them at high thresholds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tox_com_det.model.score_map import MOST_POINTS, ScoreMap

__all__ = [
    "LEAST_PAIRS",
    "THRESHOLDS",
    "TOLERANCE",
    "Agreement",
    "Fit",
    "Unusable",
    "fit_attribute",
    "is_held_out",
    "quantile_map",
]

THRESHOLDS = (0.5, 0.7, 0.8, 0.9)
LEAST_PAIRS = 200
TOLERANCE = 0.005
_LEAST_DISTINCT = 10
# Of the model's scores, where the map may be steep, and of what they become.
_DIGITS_X, _DIGITS_Y = 9, 6
Numbers = NDArray[np.float64]


class Unusable(Exception):
    """The pairs of an attribute make no map. One line without the attribute's name."""


@dataclass(frozen=True)
class Agreement:
    """Decisions about the held-out comments at one threshold; shares from 0 to 1.

    Attributes:
        google, before, after: shares of flagged comments, of Google's scores and of the model's
            without and with the map.
        agree_before, agree_after: shares of comments with the same decision as Google's.
    """

    threshold: float
    google: float
    before: float
    after: float
    agree_before: float
    agree_after: float


@dataclass(frozen=True)
class Fit:
    """A fitted map, and what it was fitted to.

    Attributes:
        trained, held_out: numbers of pairs.
        agreement: one for each of THRESHOLDS, of the held-out pairs.
        points: the held-out pairs, the model's score and Google's, for a plot.
    """

    score_map: ScoreMap
    trained: int
    held_out: int
    agreement: tuple[Agreement, ...]
    points: Sequence[tuple[float, float]]

    @property
    def is_better(self) -> bool:
        """Whether decisions agree at least as often as without the map, over all thresholds."""
        before = sum(one.agree_before for one in self.agreement)
        return sum(one.agree_after for one in self.agreement) >= before


def is_held_out(text: str) -> bool:
    """Whether a comment is kept for the report: a quarter of them, always the same ones."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return digest[0] % 4 == 0


def fit_attribute(pairs: Mapping[str, tuple[float, float]]) -> Fit:
    """Fit the map of one attribute.

    Args:
        pairs: by text, the model's score and Google's.

    Raises:
        Unusable: too few pairs, or scores that are all alike.
    """
    if len(pairs) < LEAST_PAIRS:
        raise Unusable(f"{len(pairs)} pairs, at least {LEAST_PAIRS} are needed")
    train = _columns([pair for text, pair in pairs.items() if not is_held_out(text)])
    held_out = _columns([pair for text, pair in pairs.items() if is_held_out(text)])
    for name, numbers in zip(("the model's", "Google's"), train, strict=True):
        if len(np.unique(numbers)) < _LEAST_DISTINCT:
            raise Unusable(f"{name} scores are nearly all alike")
    score_map = quantile_map(*train)
    return Fit(
        score_map,
        len(train[0]),
        len(held_out[0]),
        _agreement(score_map, *held_out),
        list(zip(*(one.tolist() for one in held_out), strict=True)),
    )


def quantile_map(ours: Numbers, google: Numbers) -> ScoreMap:
    """The map that gives `ours` the distribution of `google`; both have the same length.

    It has at most MOST_POINTS points, and differs from the map through all pairs by at most
    TOLERANCE where fewer suffice. 0 stays 0 and 1 stays 1, so that the order is kept at both ends.
    """
    ours, google = np.sort(ours.round(_DIGITS_X)), np.sort(google)
    x, first, count = np.unique(ours, return_index=True, return_counts=True)
    y = np.add.reduceat(google, first) / count  # of comments with one score, the mean
    inner = (x > 0) & (x < 1)
    x = np.concatenate([[0.0], x[inner], [1.0]])
    y = np.concatenate([[0.0], y[inner], [1.0]])
    chosen = _simplified(x, y)
    # The sums of equal numbers may differ in the last digit.
    y = np.maximum.accumulate(y[chosen].round(_DIGITS_Y))
    return ScoreMap(tuple(x[chosen].tolist()), tuple(y.tolist()))


def _simplified(x: Numbers, y: Numbers) -> list[int]:
    """Positions of points between which straight lines are close to all points."""
    chosen = [0, len(x) - 1]
    while len(chosen) < MOST_POINTS:
        error = np.abs(np.interp(x, x[chosen], y[chosen]) - y)
        worst = int(error.argmax())
        if error[worst] <= TOLERANCE:
            break
        chosen = sorted([*chosen, worst])
    return chosen


def _columns(pairs: Sequence[tuple[float, float]]) -> tuple[Numbers, Numbers]:
    both = np.array(pairs, np.float64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _agreement(score_map: ScoreMap, ours: Numbers, google: Numbers) -> tuple[Agreement, ...]:
    mapped = np.array([score_map(score) for score in ours])
    found = []
    for threshold in THRESHOLDS:
        wanted, before, after = google >= threshold, ours >= threshold, mapped >= threshold
        found.append(
            Agreement(
                threshold,
                float(wanted.mean()),
                float(before.mean()),
                float(after.mean()),
                float((before == wanted).mean()),
                float((after == wanted).mean()),
            )
        )
    return tuple(found)
