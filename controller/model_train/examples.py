"""Comments as word indices, with their targets: what the network is trained and measured on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from controller.model_train.data import Comments, Rows
from controller.model_train.encoding import Indices, indices_of, tokens_of
from controller.model_train.recipe import Recipe
from controller.model_train.split import Parts
from controller.model_train.vectors import WordVectors
from controller.model_train.vocabulary import Vocabulary, choose_words, count_words

__all__ = ["Encoded", "Examples", "MakePool", "every_word", "make_examples"]

# Makes the pool of a training from the words of its vocabulary.
MakePool = Callable[[Sequence[str]], Comments]


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
        training: the training comments, then those that are not changed, then the pool.
        changed: tokens of the first of them, which hooks change; empty without hooks.
        always: how many of `training` each epoch has; the others are the pool.
        validation, calibration: see `Parts`.
        learned: the words whose rows are trained, with their indices.
    """

    training: Encoded
    changed: list[list[str]]
    always: int
    validation: Encoded
    calibration: Encoded
    vocabulary: Vocabulary
    learned: Mapping[str, int]

    def rows(self, recipe: Recipe, random: np.random.Generator) -> Rows:
        """Numbers of the texts of an epoch."""
        pool = len(self.training) - self.always
        drawn = random.permutation(pool)[: recipe.drawn]
        return np.concatenate([np.arange(self.always), self.always + np.sort(drawn)])

    def size(self, recipe: Recipe) -> int:
        """How many texts an epoch has."""
        return self.always + min(recipe.drawn, len(self.training) - self.always)

    def texts(self, rows: Rows, recipe: Recipe, random: np.random.Generator) -> Iterator[Indices]:
        """Word indices of texts, changed by the recipe's hooks."""
        for row in rows:
            if row >= len(self.changed):
                yield self.training.indices[row]
                continue
            tokens = self.changed[row]
            for change in recipe.change_tokens:
                tokens = change(random, tokens)
            yield indices_of([tokens], self.learned)[0]


def every_word(parts: Parts, recipe: Recipe) -> set[str]:
    """Words of all parts: which of a file's vectors are read."""
    texts = [text for one in parts.every() for text in one.texts]
    return {word for tokens in tokens_of(recipe, texts) for word in tokens}


def make_examples(
    parts: Parts, vectors: WordVectors, recipe: Recipe, make_pool: MakePool | None = None
) -> Examples:
    """Choose the vocabulary, and encode the comments with the part of it that they can reach.

    Raises:
        TrainError: see `choose_words`.
    """
    tokens = tokens_of(recipe, parts.training.texts)
    # Which words hooks and pools make is not known before: they reach all.
    seen = None if make_pool or recipe.change_tokens else every_word(parts, recipe)
    vocabulary = choose_words(count_words(tokens), seen, vectors, recipe)
    if make_pool is not None:
        parts = replace(parts, pool=make_pool(vocabulary.words))
    learned = {
        word: index for word, index in vocabulary.word_index().items() if index < vocabulary.learned
    }
    always = parts.training.joined(*([parts.unchanged] if parts.unchanged else []))
    training = always.joined(*([parts.pool] if parts.pool else []))
    calibration = parts.calibration if parts.calibration is not None else parts.validation
    return Examples(
        _encode(training, learned, recipe),
        tokens if recipe.change_tokens else [],
        len(always),
        _encode(parts.validation, learned, recipe),
        _encode(calibration, learned, recipe),
        vocabulary,
        learned,
    )


def _encode(comments: Comments, word_index: Mapping[str, int], recipe: Recipe) -> Encoded:
    indices = indices_of(tokens_of(recipe, comments.texts), word_index)
    return Encoded(comments.texts, indices, comments.targets, comments.weights)
