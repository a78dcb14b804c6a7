"""Choose the words that have a row in the embedding, and the rows that they begin with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from controller.model_train.errors import TrainError
from controller.model_train.recipe import Recipe
from controller.model_train.vectors import WordVectors

__all__ = ["Vocabulary", "choose_words", "count_words"]

# Words of the comments that no vectors know begin shorter than the others: they say less at first.
_UNKNOWN_SPREAD = 0.4


@dataclass(frozen=True)
class Vocabulary:
    """Words and their rows; row 0 belongs to no word (padding) and is zero.

    Attributes:
        words: of rows 1, 2, 3, ...; those that the comments have come first.
        rows: float32 [words + 1, dimension].
        learned: how many rows, counted from 0, the comments can reach; only these are trained.
        without_vector: how many words the vectors lack.
    """

    words: list[str]
    rows: NDArray[np.float32]
    learned: int
    without_vector: int

    def with_copies(self, copies: Mapping[str, str], most: int) -> Vocabulary:
        """The vocabulary with more words, up to `most`, each with the row of another one."""
        index = self.word_index()
        new = [(word, of) for word, of in copies.items() if word not in index and of in index]
        new = new[: max(0, most - len(self.words))]
        rows = np.concatenate([self.rows, self.rows[[index[of] for _, of in new]]])
        return replace(self, words=self.words + [word for word, _ in new], rows=rows)

    def word_index(self) -> dict[str, int]:
        """The words with their rows, as Keras' Tokenizer numbers them."""
        return {word: index for index, word in enumerate(self.words, start=1)}


def count_words(tokens: Iterable[Sequence[str]]) -> Counter[str]:
    """How many texts have each word."""
    counts: Counter[str] = Counter()
    for one in tokens:
        counts.update(set(one))
    return counts


def choose_words(
    counts: Counter[str], seen: set[str] | None, vectors: WordVectors, recipe: Recipe
) -> Vocabulary:
    """Choose the words: those of the training part, then the vectors' most frequent ones.

    A word of the training part is chosen if the vectors have it or `min_count` texts do; if there
    are too many, those of the most texts. The other parts do not change which words are chosen.

    Args:
        counts: texts of the training part that have each word.
        seen: words of all parts; chosen ones among them come first. None: any may occur.
        vectors: in the order of their frequency.

    Raises:
        TrainError: the comments and the vectors have hardly a word in common.
    """
    place = {word: number for number, word in enumerate(vectors.words)}
    own = [word for word, count in counts.items() if word in place or count >= recipe.min_count]
    own.sort(key=lambda word: (-counts[word], word))
    common = sum(word in place for word in own)
    if 10 * common < len(own):
        raise TrainError(
            f"the vectors have {common} of the {len(own)} words of the comments: give vectors of "
            "the comments' language with --vectors"
        )
    chosen = dict.fromkeys(own[: recipe.words])
    for word in vectors.words:
        if len(chosen) >= recipe.words:
            break
        chosen[word] = None
    words = [word for word in chosen if seen is None or word in seen]
    learned = len(words) + 1
    words += [word for word in chosen if seen is not None and word not in seen]
    random = np.random.default_rng(recipe.seed)
    spread = _UNKNOWN_SPREAD * float(vectors.rows.std())
    rows = random.normal(0.0, spread, (len(words) + 1, vectors.dimension)).astype(np.float32)
    rows[0] = 0.0
    known = [number for number, word in enumerate(words, start=1) if word in place]
    rows[known] = vectors.rows[[place[words[number - 1]] for number in known]]
    return Vocabulary(words, rows, learned, len(words) - len(known))
