"""Comments as word indices, with their targets: what the network is trained and measured on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.model_train.data import Comments
from controller.model_train.encoding import Indices, indices_of, tokens_of
from controller.model_train.recipe import Recipe
from controller.model_train.split import Parts
from controller.model_train.vectors import WordVectors
from controller.model_train.vocabulary import Vocabulary, choose_words, count_words

__all__ = ["Encoded", "Examples", "encode", "every_word", "make_examples"]


@dataclass(frozen=True)
class Encoded:
    """Comments with their word indices, not cut; see `Comments` for targets and weights."""

    texts: list[str]
    indices: list[Indices]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class Examples:
    """The parts of the comments as word indices.

    Attributes:
        calibration: see `Parts`.
        learned: the words whose rows are trained, with their indices.
    """

    training: Encoded
    validation: Encoded
    calibration: Encoded
    vocabulary: Vocabulary
    learned: Mapping[str, int]


def every_word(parts: Parts, recipe: Recipe) -> set[str]:
    """Words of all parts: which of a file's vectors are read."""
    every = (parts.training, parts.validation, parts.held_out, parts.calibration)
    texts = [text for part in every if part is not None for text in part.texts]
    return {word for tokens in tokens_of(recipe, texts) for word in tokens}


def make_examples(parts: Parts, vectors: WordVectors, recipe: Recipe) -> Examples:
    """Choose the vocabulary, and encode the comments with the part of it that they can reach.

    Raises:
        TrainError: see `choose_words`.
    """
    counts = count_words(tokens_of(recipe, parts.training.texts))
    seen = every_word(parts, recipe)
    if recipe.change_texts:
        # Which words a change makes is known only when it has made them.
        random = np.random.default_rng([recipe.seed, recipe.epochs])
        for change in recipe.change_texts:
            changed = [change(random, text) for text in parts.training.texts]
            seen.update(word for one in tokens_of(recipe, changed) for word in one)
    vocabulary = choose_words(counts, seen, vectors, recipe)
    learned = {
        word: index for word, index in vocabulary.word_index().items() if index < vocabulary.learned
    }
    calibration = parts.calibration if parts.calibration is not None else parts.validation
    return Examples(
        encode(parts.training, learned, recipe),
        encode(parts.validation, learned, recipe),
        encode(calibration, learned, recipe),
        vocabulary,
        learned,
    )


def encode(comments: Comments, word_index: Mapping[str, int], recipe: Recipe) -> Encoded:
    """Word indices of the comments."""
    indices = indices_of(tokens_of(recipe, comments.texts), word_index)
    return Encoded(comments.texts, indices, comments.targets, comments.weights)
