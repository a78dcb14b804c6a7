"""A monotone map of scores: straight lines between points."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

MOST_POINTS = 100


@dataclass(frozen=True)
class ScoreMap:
    """Maps a model's score to the scale of other scores.

    Attributes:
        x: the model's scores, 2 to MOST_POINTS, each larger than the one before.
        y: what each becomes, none smaller than the one before. All are from 0 to 1.
    """

    x: Sequence[float]
    y: Sequence[float]

    def __call__(self, score: float) -> float:
        """The mapped score; beyond the first and the last point that point's."""
        right = bisect_right(self.x, score)
        if right == 0:
            return float(self.y[0])
        if right == len(self.x):
            return float(self.y[-1])
        low, high = self.y[right - 1], self.y[right]
        part = (score - self.x[right - 1]) / (self.x[right] - self.x[right - 1])
        # Not above the next point by a rounding: the order of two scores must stay.
        return min(low + part * (high - low), float(high))
