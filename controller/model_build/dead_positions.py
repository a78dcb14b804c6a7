"""Find positions of the sequence that no score depends on.

The article's own network has one: 100 tokens -> 96 -> a pool of 5 takes columns 0-94, and column
95, the only one that sees the last token, is dropped. It is easy to miss, because every other word
still counts. So each position of several random texts is changed strongly, and the positions that
never change a score are reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from controller.model_build.scoring import run
from tox_com_det.model.encode import INDICES, MASK, VECTORS, Inputs

# A batch of texts, or one text, in the type that the head takes: float32 or int32.
Array = NDArray[Any]

_BASES = 12
_STRENGTHS = (1.0, 10.0, 100.0)
_BATCH_BYTES = 2 * 1024 * 1024
# Sums in another order differ in the last bits; a position with an effect changes far more.
_RELATIVE_NOISE = 1e-5


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
    """Random vectors; `spread` is the standard deviation of the embedding's numbers."""

    length: int
    dimension: int
    spread: float
    masked: bool = False

    @property
    def size(self) -> int:
        return self.length * self.dimension

    @property
    def _spread(self) -> float:
        return self.spread if self.spread > 0 else 1.0

    def draw(self, random: np.random.Generator, number: int) -> Array:
        return random.normal(0.0, self._spread, (self.length, self.dimension)).astype(np.float32)

    def change(
        self, random: np.random.Generator, number: int, texts: Array, positions: NDArray[np.int64]
    ) -> None:
        strength = self._spread * _STRENGTHS[number % len(_STRENGTHS)]
        texts[np.arange(len(positions)), positions] += random.normal(
            0.0, strength, (len(positions), self.dimension)
        ).astype(np.float32)

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


def find_dead_positions(
    session: onnxruntime.InferenceSession, texts: Texts, length: int
) -> list[int]:
    """Positions 0..length-1 that have no effect on any output of `session`.

    Args:
        session: the head without its last activation, which would hide effects where it saturates.
        texts: the source of random texts.
        length: the sequence length.
    """
    random = np.random.default_rng(0)
    candidates = np.arange(length)
    batch = max(1, _BATCH_BYTES // (4 * texts.size))
    for number in range(_BASES):
        if not len(candidates):
            break
        base = texts.draw(random, number)
        before = run(session, texts.inputs(base[None]))[0]
        alive = np.zeros(len(candidates), bool)
        for start in range(0, len(candidates), batch):
            positions = candidates[start : start + batch]
            changed = np.repeat(base[None], len(positions), axis=0)
            texts.change(random, number, changed, positions)
            with np.errstate(invalid="ignore"):  # infinity - infinity: no effect can be seen
                difference = np.abs(run(session, texts.inputs(changed)) - before).max(axis=1)
            alive[start : start + batch] = difference > _RELATIVE_NOISE * np.abs(before).max()
        candidates = candidates[~alive]
    return [int(position) for position in candidates]


def warning(dead: Sequence[int], length: int, padding: str) -> str | None:
    """What dead positions mean for the texts, as one line; None without dead positions."""
    if not dead:
        return None
    listed = ", ".join(map(str, dead[:10])) + (", ..." if len(dead) > 10 else "")
    places = f"position {listed}" if len(dead) == 1 else f"positions {listed}"
    if length - 1 in dead and padding == "pre":
        effect = (
            "the last word of every comment is ignored and a one-word comment scores like an "
            "empty one"
        )
    elif 0 in dead and padding == "post":
        effect = "the first word of every comment is ignored"
    else:
        effect = "words at these positions are ignored"
    return (
        f"no score depends on {places} of 0-{length - 1}: {effect}; "
        "train with padding='same' in convolution and pooling layers to use every word"
    )
