"""Random texts in the form that a head takes, to be changed at one position each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tox_com_det.model.encode import INDICES, MASK, VECTORS, Inputs

# A batch of texts, or one text, in the type that the head takes: float32 or int32.
Array = NDArray[Any]

# Of the noise that is added to a row, in standard deviations of the embedding; 0 for a real row.
_STRENGTHS = (0.0, 100.0, 1.0, 10.0, 0.0)


class Texts(Protocol):
    """A source of random texts in the form that the head takes."""

    @property
    def size(self) -> int:
        """Numbers of one text."""
        ...

    def draw(self, random: np.random.Generator, number: int) -> Array:
        """One text without its batch axis."""
        ...

    def change(
        self, random: np.random.Generator, number: int, texts: Array, positions: NDArray[np.int64]
    ) -> None:
        """Change text i at positions[i]."""
        ...

    def inputs(self, texts: Array) -> Inputs:
        """The head's inputs for a batch of texts."""
        ...


@dataclass(frozen=True)
class VectorTexts:
    """Random rows of the embedding.

    Attributes:
        length: the sequence length.
        rows: rows of words and of the padding, float32 [rows, dimension].
        masked: whether the head takes a mask.
    """

    length: int
    rows: NDArray[np.float32]
    masked: bool = False

    @property
    def size(self) -> int:
        return self.length * int(self.rows.shape[1])

    def draw(self, random: np.random.Generator, number: int) -> Array:
        return self.rows[random.integers(0, len(self.rows), self.length)]

    def change(
        self, random: np.random.Generator, number: int, texts: Array, positions: NDArray[np.int64]
    ) -> None:
        other = self.rows[random.integers(0, len(self.rows), len(positions))]
        spread = float(self.rows.std(dtype=np.float64)) or 1.0
        noise = random.normal(0.0, spread, other.shape).astype(np.float32)
        strength = _STRENGTHS[number % len(_STRENGTHS)]
        texts[np.arange(len(positions)), positions] = other + strength * noise

    def inputs(self, texts: Array) -> Inputs:
        mask = {MASK: np.ones(texts.shape[:2], np.float32)} if self.masked else {}
        return {VECTORS: texts, **mask}


@dataclass(frozen=True)
class IndexTexts:
    """Random words of the vocabulary, by their indices."""

    length: int
    indices: NDArray[np.int64]

    @property
    def size(self) -> int:
        return self.length

    def draw(self, random: np.random.Generator, number: int) -> Array:
        return random.choice(self.indices, self.length).astype(np.int32)

    def change(
        self, random: np.random.Generator, number: int, texts: Array, positions: NDArray[np.int64]
    ) -> None:
        texts[np.arange(len(positions)), positions] = random.choice(self.indices, len(positions))

    def inputs(self, texts: Array) -> Inputs:
        return {INDICES: texts}
