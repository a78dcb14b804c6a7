"""Choose the words that a text can refer to, with their rows of the embedding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.model_build.errors import BuildError
from controller.model_build.settings import how_to_give
from controller.model_build.word_index import WordIndex
from tox_com_det.model.tokenizer import TokenizerRules


@dataclass(frozen=True)
class Vocabulary:
    """Words ascending by their UTF-8 bytes, with the rows of the matrix that belong to them.

    A list of 400,000 words would take four times the memory, so words are kept end to end.

    Attributes:
        text: UTF-8 bytes of the words, end to end.
        ends: where each word ends, int64 [words].
        indices: row of each word, int64 [words], in the same order.
        unreachable: number of words that `num_words` cuts off.
        unused_rows: number of rows of the matrix without a word, not counting row 0 (padding).
    """

    text: bytes
    ends: NDArray[np.int64]
    indices: NDArray[np.int64]
    unreachable: int
    unused_rows: int

    def __len__(self) -> int:
        return len(self.ends)

    def __iter__(self) -> Iterator[tuple[str, int]]:
        start = 0
        for end, index in zip(self.ends, self.indices, strict=True):
            yield self.text[start:end].decode("utf-8"), int(index)
            start = end


def vocabulary(index: WordIndex, rules: TokenizerRules, rows: int) -> Vocabulary:
    """Choose the words that go to the database.

    Args:
        rows: rows of the embedding's matrix.

    Raises:
        BuildError: a word below `num_words` has no row, or no word is below `num_words`.
    """
    limit = rules.num_words or None
    kept = index.indices < limit if limit else np.ones(len(index.indices), bool)
    beyond = np.flatnonzero(kept & (index.indices >= rows))
    if len(beyond):
        last = int(beyond[np.argmax(index.indices[beyond])])
        raise BuildError(
            f"the word index does not match the model: {len(beyond)} words such as "
            f"{index.words[last].decode()!r} (index {index.indices[last]}) are beyond the matrix "
            f"of {rows} rows: give the num_words of the model's tokenizer, "
            f"{how_to_give('num_words', f'{rows}?')}, or the model's own --word-index"
        )
    if not kept.any():
        raise BuildError(
            f"no word of the index is below num_words={rules.num_words}: give the num_words of the "
            f"model's tokenizer, {how_to_give('num_words')}"
        )
    # An array of references sorts in a fifth of the memory that a list of numbers takes.
    words = np.array(index.words, object)[kept]
    order = np.argsort(words, kind="stable")
    words = words[order]
    return Vocabulary(
        b"".join(words),
        np.cumsum(np.fromiter(map(len, words), np.int64, len(words))),
        index.indices[kept][order],
        len(index.words) - len(words),
        rows - 1 - len(words),
    )
