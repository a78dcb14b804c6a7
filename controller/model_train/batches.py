"""Batches of texts of similar length: half of the numbers in a batch of any texts are padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.model_train.encoding import Indices, windows_of
from controller.model_train.recipe import Recipe

__all__ = ["Batch", "batches", "count", "drop_words", "scoring_batches"]

# Batches are as wide as the first of these that fits, so that few shapes have to be compiled.
_WIDTHS = (16, 24, 32, 48, 64, 96, 128, 192)
# Batches that are sorted by length together. More would make batches of equal length, but always of
# the same texts.
_POOL = 40


class Batch(NamedTuple):
    """Word indices, int32 [texts, width], and the numbers of their texts."""

    indices: NDArray[np.int32]
    rows: NDArray[np.int64]


def count(texts: int, recipe: Recipe) -> int:
    """Batches of an epoch of so many texts."""
    return -(-texts // recipe.batch)


def batches(
    texts: Sequence[Indices], recipe: Recipe, random: np.random.Generator
) -> Iterator[Batch]:
    """Batches of one epoch, in random order; each text is in one of them.

    Of a text that is longer than `train_length`, a part from anywhere in it. Rows are numbers of
    `texts`.
    """
    cut = [_part(text, recipe.train_length, random) for text in texts]
    order = random.permutation(len(cut))
    found: list[NDArray[np.int64]] = []
    for start in range(0, len(order), _POOL * recipe.batch):
        pool = order[start : start + _POOL * recipe.batch]
        lengths = np.array([len(cut[row]) for row in pool])
        pool = pool[np.argsort(lengths, kind="stable")]
        found += [pool[at : at + recipe.batch] for at in range(0, len(pool), recipe.batch)]
    for number in random.permutation(len(found)):
        yield _batch(cut, found[number], recipe, recipe.train_length)


def scoring_batches(texts: Sequence[Indices], recipe: Recipe, size: int = 256) -> Iterator[Batch]:
    """Batches of the texts' windows, the shortest first; a text has a row for each window."""
    cut = [(row, part) for row, text in enumerate(texts) for part in windows_of(text, recipe)]
    owners = np.array([row for row, _ in cut], np.int64)
    parts = [part for _, part in cut]
    order = np.argsort([len(part) for part in parts], kind="stable")
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        batch = _batch(parts, chosen, recipe, recipe.length)
        yield Batch(batch.indices, owners[chosen])


def drop_words(random: np.random.Generator, text: Indices, share: float) -> Indices:
    """The text without some words: a share between 0 and twice the mean one, never all."""
    if len(text) < 4 or not share:
        return text
    kept = text[random.random(len(text)) >= 2 * share * random.random()]
    return kept if len(kept) else text


def _part(text: Indices, most: int, random: np.random.Generator) -> Indices:
    if len(text) <= most:
        return text
    start = int(random.integers(0, len(text) - most + 1))
    return text[start : start + most]


def _batch(texts: Sequence[Indices], rows: NDArray[np.int64], recipe: Recipe, most: int) -> Batch:
    # A kernel must find the padding that it finds in a sequence of the model's length, unless there
    # is none: else the maximum over a shorter batch is another one.
    margin = max(recipe.widths, default=1)
    longest = max(len(texts[row]) for row in rows)
    width = min(most, longest + margin)
    width = min(most, next((one for one in _WIDTHS if one >= width), most))
    indices = np.zeros((len(rows), width), np.int32)
    for number, row in enumerate(rows):
        text = texts[row]
        if recipe.padding == "pre":
            indices[number, width - len(text) :] = text
        else:
            indices[number, : len(text)] = text
    return Batch(indices, rows)
