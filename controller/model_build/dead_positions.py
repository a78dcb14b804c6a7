"""Find positions of the sequence that no score depends on.

The article's own network has one: 100 tokens -> 96 -> a pool of 5 takes columns 0-94, and column
95, the only one that sees the last token, is dropped. Nobody notices, because all but the last
word still count. So each position is shaken hard, on several random texts, and what never moves a
score is reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import onnxruntime

from controller.model_build.scoring import Inputs, run

_BASES = 12
_STRENGTHS = (1.0, 10.0, 100.0)
_BATCH_BYTES = 2 * 1024 * 1024
# Sums in another order differ in the last bits; a position that counts moves far more.
_RELATIVE_NOISE = 1e-5


class Texts(Protocol):
    """Random texts as the head takes them; `size`: numbers of one text."""

    size: int

    def draw(self, random: np.random.Generator, number: int) -> np.ndarray:
        """One text without its batch axis."""
        ...

    def shake(
        self, random: np.random.Generator, number: int, texts: np.ndarray, positions: np.ndarray
    ) -> None:
        """Change text i at position i."""
        ...

    def inputs(self, texts: np.ndarray) -> Inputs:
        """What the head takes."""
        ...


@dataclass(frozen=True)
class VectorTexts:
    """Random vectors; `spread`: typical size of the embedding's numbers."""

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

    def draw(self, random: np.random.Generator, number: int) -> np.ndarray:
        return random.normal(0.0, self._spread, (self.length, self.dimension)).astype(np.float32)

    def shake(
        self, random: np.random.Generator, number: int, texts: np.ndarray, positions: np.ndarray
    ) -> None:
        strength = self._spread * _STRENGTHS[number % len(_STRENGTHS)]
        texts[np.arange(len(positions)), positions] += random.normal(
            0.0, strength, (len(positions), self.dimension)
        ).astype(np.float32)

    def inputs(self, texts: np.ndarray) -> Inputs:
        mask = {"mask": np.ones(texts.shape[:2], np.float32)} if self.masked else {}
        return {"vectors": texts} | mask


@dataclass(frozen=True)
class IndexTexts:
    """Random words of the vocabulary, by their indices."""

    length: int
    indices: np.ndarray

    @property
    def size(self) -> int:
        return self.length

    def draw(self, random: np.random.Generator, number: int) -> np.ndarray:
        return random.choice(self.indices, self.length).astype(np.int32)

    def shake(
        self, random: np.random.Generator, number: int, texts: np.ndarray, positions: np.ndarray
    ) -> None:
        texts[np.arange(len(positions)), positions] = random.choice(self.indices, len(positions))

    def inputs(self, texts: np.ndarray) -> Inputs:
        return {"indices": texts}


def find_dead_positions(
    session: onnxruntime.InferenceSession, texts: Texts, length: int
) -> list[int]:
    """Positions 0..length-1 that have no effect on any output of `session`.

    Args:
        session: the head without its last activation, which would hide effects where it saturates.
        texts: where random texts come from.
    """
    random = np.random.default_rng(0)
    suspects = np.arange(length)
    batch = max(1, _BATCH_BYTES // (4 * texts.size))
    for number in range(_BASES):
        if not len(suspects):
            break
        base = texts.draw(random, number)
        before = run(session, texts.inputs(base[None]))[0]
        moved = np.zeros(len(suspects), bool)
        for start in range(0, len(suspects), batch):
            positions = suspects[start : start + batch]
            shaken = np.repeat(base[None], len(positions), axis=0)
            texts.shake(random, number, shaken, positions)
            difference = np.abs(run(session, texts.inputs(shaken)) - before).max(axis=1)
            moved[start : start + batch] = difference > _RELATIVE_NOISE * np.abs(before).max()
        suspects = suspects[~moved]
    return suspects.tolist()


def warning(dead: Sequence[int], length: int, padding: str) -> str | None:
    """What dead positions mean for the texts, in one sentence; None where there are none."""
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
        effect = "words that stand there are ignored"
    return (
        f"no score depends on {places} of 0-{length - 1}: {effect}; "
        "train with padding='same' in convolutions and pools to lose none"
    )
