"""How a model is trained: every number that decides the result, and hooks for more."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np

from tox_com_det.model.normalization import Normalization
from tox_com_det.model.tokenizer import DEFAULT_FILTERS, TokenizerRules

__all__ = ["ChangeTokens", "Recipe", "usual_epochs"]

# Makes other tokens of a text's in each epoch, for example some that are spelled in another way.
ChangeTokens = Callable[[np.random.Generator, list[str]], list[str]]

# Steps after which the validation AUC of 4,000 and of 40,000 comments hardly grew any more.
_USUAL_STEPS = 2_500
_EPOCHS = (4, 40)
_HOOKS = ("change_tokens",)


@dataclass(frozen=True)
class Recipe:
    """Settings of a training; equal recipes, data and vectors give equal weights.

    Attributes:
        length: positions of the sequence that the model takes.
        train_length: most words of a text in training, at least `length`; of a longer one, another
            part in each epoch.
        padding, truncating, filters: as Keras' `pad_sequences` and `Tokenizer` take them; an
            apostrophe separates words, as GloVe's vectors need it.
        normalization: what happens to a text before the tokenizer's rules.
        words: most words of the vocabulary.
        min_count: texts of the training part that have a word which gets a row although the vectors
            lack it.
        widths, kernels: kernel widths of the convolutions, and how many kernels each width has.
        gru: units of a bidirectional GRU beside the convolutions; 0 is none.
        units: of the dense layer.
        drop_channels, drop_units: shares that dropout leaves out, of the embedding and further on.
        drop_words: mean share of the words that are left out of a text.
        epochs: most passes over the comments.
        patience: epochs without a better validation AUC after which it ends.
        batch: comments per step.
        rate: highest learning rate (Adam); rises for `warm_up` steps, then falls as a cosine.
        embedding_rate: factor of `rate` for the word vectors.
        frozen_epochs: first epochs in which the word vectors stay as they are.
        average: how much of the mean of the weights stays at a step; this mean is what is kept.
        drawn: how many texts of `Parts.pool` an epoch has.
        windows, stride: most parts of a longer text that are scored, each of them `length` words,
            and the words between the beginnings of two; the text's score is the highest. One
            window is a text that is cut, as Keras does.
        seed: of every random choice.
        change_tokens: applied in their order to each training text, in each epoch.
        name: of this recipe; with hooks, change it when they change, because resuming goes by it.
    """

    length: int = 100
    train_length: int = 256
    padding: Literal["pre", "post"] = "pre"
    truncating: Literal["pre", "post"] = "pre"
    filters: str = DEFAULT_FILTERS + "'"
    normalization: Normalization = "unicode"
    words: int = 70_000
    min_count: int = 2
    widths: tuple[int, ...] = (1, 2, 3, 5)
    kernels: int = 128
    gru: int = 0
    units: int = 128
    drop_channels: float = 0.2
    drop_units: float = 0.4
    drop_words: float = 0.1
    epochs: int = 4
    patience: int = 2
    batch: int = 64
    rate: float = 1e-3
    warm_up: int = 200
    embedding_rate: float = 0.3
    frozen_epochs: int = 0
    average: float = 0.999
    drawn: int = 0
    windows: int = 16
    stride: int = 75
    seed: int = 1
    change_tokens: tuple[ChangeTokens, ...] = field(default=(), repr=False)
    name: str = "default"

    def rules(self) -> TokenizerRules:
        """How a text becomes tokens."""
        return TokenizerRules(filters=self.filters, normalization=self.normalization)

    def settings(self) -> dict[str, Any]:
        """The numbers and names, without the hooks."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name not in _HOOKS}

    def fingerprint(self, *parts: bytes) -> str:
        """SHA-256 of the settings and of further parts, as hexadecimal digits."""
        digest = hashlib.sha256(json.dumps(self.settings(), sort_keys=True).encode())
        for part in parts:
            digest.update(hashlib.sha256(part).digest())
        return digest.hexdigest()


def usual_epochs(comments: int, batch: int) -> int:
    """Epochs for a number of training comments: few comments are passed over more often."""
    least, most = _EPOCHS
    return min(most, max(least, round(_USUAL_STEPS * batch / comments)))
