"""What a threshold does to labelled comments: precision, recall, and the share that it flags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["STEPS", "Choice", "Curve"]

STEPS = tuple(step / 10 for step in range(1, 10))


@dataclass(frozen=True)
class Choice:
    """A threshold: comments with this score or more are flagged.

    Attributes:
        threshold: 0 to 1.
        flagged: share of all comments that are flagged.
        precision: share of the flagged ones that have the label; None: none is flagged.
        recall: share of the ones with the label that are flagged; None: none has it.
    """

    threshold: float
    flagged: float
    precision: float | None
    recall: float | None


class Curve:
    """Scores of comments that have a label or not."""

    def __init__(self, scores: Sequence[float], labelled: Sequence[bool]) -> None:
        """Both of the same length; without comments no threshold has what is wanted."""
        order = np.argsort(scores, kind="stable")[::-1]
        self._scores: NDArray[np.float64] = np.array(scores, np.float64)[order]
        self._hits = np.cumsum(np.array(labelled, bool)[order])
        # Comments with one score are flagged together: the position of the last of each.
        changes = np.append(np.diff(self._scores) != 0, True)
        self._last = np.flatnonzero(changes[: len(self._scores)])

    @property
    def positives(self) -> int:
        """Number of comments with the label."""
        return int(self._hits[-1]) if len(self._hits) else 0

    def at(self, threshold: float) -> Choice:
        """What a threshold does."""
        flagged = int((self._scores >= threshold).sum())
        hits = int(self._hits[flagged - 1]) if flagged else 0
        return Choice(
            threshold,
            flagged / max(len(self._scores), 1),
            hits / flagged if flagged else None,
            hits / self.positives if self.positives else None,
        )

    def for_flag_rate(self, rate: float) -> Choice | None:
        """The lowest threshold that flags at most a share of the comments; None: there is none."""
        return self._lowest(self._last + 1 <= rate * len(self._scores))

    def for_precision(self, precision: float) -> Choice | None:
        """The threshold of the highest recall with at least a precision; None: there is none."""
        return self._lowest(self._hits[self._last] >= precision * (self._last + 1))

    def _lowest(self, good: NDArray[np.bool_]) -> Choice | None:
        found = self._last[good]
        return self.at(float(self._scores[found[-1]])) if len(found) else None
