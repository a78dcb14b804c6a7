"""From texts to word indices, with the tokenizer and the padding of the service."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from controller.model_train.recipe import Recipe
from tox_com_det.model.tokenizer import pad_sequence
from tox_com_det.model.windows import Windows

__all__ = ["Indices", "fixed", "indices_of", "tokens_of", "windows_of"]

# Word indices of one text, int32, without padding and not cut.
Indices = NDArray[np.int32]


def tokens_of(recipe: Recipe, texts: Iterable[str]) -> list[list[str]]:
    """Tokens of each text, known or not; equal tokens are one object."""
    rules = recipe.rules()
    return [list(map(sys.intern, rules.tokens(text))) for text in texts]


def indices_of(tokens: Iterable[Sequence[str]], word_index: Mapping[str, int]) -> list[Indices]:
    """Indices of the known words of each text."""
    return [
        np.array([word_index[word] for word in one if word in word_index], np.int32)
        for one in tokens
    ]


def windows_of(text: Indices, recipe: Recipe) -> list[Indices]:
    """The parts of a text that are scored; of a short one, itself."""
    windows = Windows(recipe.windows, recipe.stride)
    most = windows.capacity(recipe.length)
    kept = text[-most:] if recipe.truncating == "pre" else text[:most]
    starts = windows.starts(len(kept), recipe.length)
    return [kept[start : start + recipe.length] for start in starts]


def fixed(indices: Sequence[Indices], recipe: Recipe) -> NDArray[np.int32]:
    """Sequences of the model's length, int32 [texts, length], as the service makes them."""
    rows = [
        pad_sequence(one.tolist(), recipe.length, 0, recipe.padding, recipe.truncating)
        for one in indices
    ]
    return np.array(rows, np.int32).reshape(len(rows), recipe.length)
