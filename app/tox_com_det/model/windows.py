"""Windows over a text that is longer than the sequence, where the manifest asks for them.

Keras cuts such a text, so an insult that a hundred polite words follow is never read. Standard
library only, as the manifest's reader is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from numpy.typing import NDArray

Pooling = Literal["max", "mean"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)
# The head runs once for each window, and a request may have 32 texts.
MOST_WINDOWS = 256


@dataclass(frozen=True)
class Windows:
    """How a long text is read: in windows of the sequence's length, scored together.

    Attributes:
        most: windows of a text, 2 to MOST_WINDOWS; what is beyond them is cut.
        stride: words from the start of a window to that of the next, 1 to the length.
        pooling: what the windows' scores become, for each label alone.
    """

    most: int
    stride: int
    pooling: Pooling = "max"

    def capacity(self, length: int) -> int:
        """Words of a text that `most` windows of `length` words read."""
        return length + (self.most - 1) * self.stride

    def starts(self, words: int, length: int) -> list[int]:
        """Where the windows of a text begin; the last one ends with the text, so that it is full.

        Args:
            words: of the text, at most the capacity.
            length: words of a window.
        """
        last = max(0, words - length)
        return [*range(0, last, self.stride), last]

    def pool(self, scores: NDArray[Any]) -> NDArray[Any]:
        """Scores of a text, one per label, from those of its windows (windows x labels)."""
        pooled: NDArray[Any] = scores.max(axis=0) if self.pooling == "max" else scores.mean(axis=0)
        return pooled
