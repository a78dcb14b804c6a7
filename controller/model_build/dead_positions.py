"""Find positions of the sequence that no score depends on.

The article's own network has one: 100 tokens -> 96 -> a pool of 5 takes columns 0-94, and column
95, the only one that sees the last token, is dropped. It is easy to miss, because every other word
still counts. So positions of several texts are changed, first to another row of the embedding, then
more and more strongly, and those that never change a score are reported.

Of a model that is large or reads long sequences, only a sample of the positions is tried: what a
search may cost is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from controller.model_build.random_texts import Texts
from controller.model_build.reach import has_recurrent, remembering, work
from controller.model_build.scoring import open_session, run

# Texts in which a position is changed before it counts as dead.
_BASES = 16
# Graphs without forgetting, one text each in turn.
_VARIANTS = 4
_BATCH_BYTES = 512 * 1024
# Sums in another order differ in the last bits; a position with an effect changes far more.
_RELATIVE_NOISE = 1e-5
# Multiplications of one search, two or three seconds on one core of a laptop.
_MOST_WORK = 40_000_000_000


@dataclass(frozen=True)
class Found:
    """The result of a search.

    Attributes:
        dead: positions without an effect, ascending.
        tried: how many positions were tried.
    """

    dead: list[int]
    tried: int


def find_dead_positions(
    head: onnx.ModelProto,
    texts: Texts,
    length: int,
    progress: Callable[[int], None] = lambda tried: None,
    most_work: int = _MOST_WORK,
) -> Found:
    """Positions 0..length-1 that have no effect on any output of `head`.

    Args:
        head: without its last activation, which would hide effects where it saturates.
        texts: the source of random texts.
        length: the sequence length.
        progress: called with the number of positions tried so far.
        most_work: what the search may cost, in multiplications.
    """
    graphs = [
        remembering(head, number) for number in range(_VARIANTS if has_recurrent(head) else 1)
    ]
    sessions = [open_session(graph.SerializeToString()) for graph in graphs]
    search = _Search(sessions, texts, np.random.default_rng(0))
    # Of what may be done, two thirds are for two texts with all positions that are tried.
    third = max(_BASES, most_work // work(graphs[0]) // 3)
    chosen = sample(length, third)
    left = search.without_effect(1, search.without_effect(0, chosen, progress))
    # A position counts as dead only after every text, so no more are kept than that allows.
    kept = left[_spaced(len(left), third // _BASES)]
    tried = len(chosen) - len(left) + len(kept)
    for number in range(2, _BASES):
        kept = search.without_effect(number, kept)
    return Found([int(position) for position in kept], tried)


@dataclass(frozen=True)
class _Search:
    """One after the other, texts in which one position is changed."""

    sessions: Sequence[onnxruntime.InferenceSession]
    texts: Texts
    random: np.random.Generator

    def without_effect(
        self,
        number: int,
        positions: NDArray[np.int64],
        progress: Callable[[int], None] = lambda tried: None,
    ) -> NDArray[np.int64]:
        """Those of the positions that change no score of the text of this number."""
        if not len(positions):
            return positions
        session = self.sessions[number % len(self.sessions)]
        base = self.texts.draw(self.random, number)
        before = run(session, self.texts.inputs(base[None]))[0]
        batch = max(1, _BATCH_BYTES // (4 * self.texts.size))
        alive = np.zeros(len(positions), bool)
        for start in range(0, len(positions), batch):
            some = positions[start : start + batch]
            changed = np.repeat(base[None], len(some), axis=0)
            self.texts.change(self.random, number, changed, some)
            with np.errstate(invalid="ignore"):  # infinity - infinity: no effect can be seen
                after = run(session, self.texts.inputs(changed))
                difference = np.abs(after - before).max(axis=1)
            alive[start : start + batch] = difference > _RELATIVE_NOISE * np.abs(before).max()
            progress(start + len(some))
        return positions[~alive]


def sample(length: int, most: int) -> NDArray[np.int64]:
    """All positions, or `most` of them: a quarter from each end, the others between, spaced out."""
    if length <= most:
        return np.arange(length)
    end = most // 4
    between = end + _spaced(length - 2 * end, most - 2 * end)
    return np.concatenate([np.arange(end), between, np.arange(length - end, length)])


def _spaced(count: int, most: int) -> NDArray[np.int64]:
    """Numbers below `count`, `most` of them at most, equally far apart."""
    if count <= most:
        return np.arange(count)
    return np.arange(most) * count // most


def describe_sample(found: Found, length: int) -> str | None:
    """What was tried, as one line; None if that were all positions."""
    if found.tried == length:
        return None
    return (
        f"{found.tried} of {length} positions were tried, the first, the last and some between, so "
        "that the build takes no longer: "
        + (
            f"{len(found.dead)} of them have no effect on a score, others may have none either"
            if found.dead
            else "each of them has an effect on a score"
        )
    )


def warning(dead: Sequence[int], length: int, padding: str, layers: Sequence[str]) -> str | None:
    """What dead positions mean for the texts, as one line; None without dead positions.

    Args:
        layers: Keras classes of the model's layers.
    """
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
    line = f"no score depends on {places} of 0-{length - 1}: {effect}"
    if not any("Conv" in name or re.match("(Max|Average)Pooling", name) for name in layers):
        return line
    return f"{line}; train with padding='same' in convolution and pooling layers to use every word"
