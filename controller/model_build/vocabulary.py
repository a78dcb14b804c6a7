"""Choose the words that a text can refer to, with their rows of the embedding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.model_build.errors import BuildError
from controller.model_build.settings import how_to_give
from controller.model_build.word_index import WordIndex
from tox_com_det.model.tokenizer import TokenizerRules

# Words that are joined at once: a join takes 80 bytes for each of its parts.
_JOINED = 4096


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

    def word(self, number: int) -> str:
        """The word at a place of the order, from 0."""
        start = int(self.ends[number - 1]) if number else 0
        return self.text[start : int(self.ends[number])].decode("utf-8")

    def __iter__(self) -> Iterator[tuple[str, int]]:
        start = 0
        for end, index in zip(self.ends, self.indices, strict=True):
            yield self.text[start:end].decode("utf-8"), int(index)
            start = end


def text_of(words: Iterable[str], rules: TokenizerRules) -> str:
    """The text of these words in order, as the tokenizer separates them."""
    return ("" if rules.char_level else rules.split).join(words)


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
            f"of {rows} rows: {_other_index(index, rules, rows)}"
        )
    if not kept.any():
        raise BuildError(
            f"no word of the index is below num_words={rules.num_words}: give the num_words of the "
            f"model's tokenizer, {how_to_give('num_words')}"
        )
    # An array of references sorts in a fifth of the memory that a list of numbers takes.
    words = np.array(index.words, object)
    if not kept.all():
        words = words[kept]
    order = np.argsort(words, kind="stable")
    indices = index.indices[kept][order]
    words = words[order]
    del order, kept
    ends = np.fromiter(map(len, words), np.int64, len(words))
    np.cumsum(ends, out=ends)
    text = bytearray()
    for start in range(0, len(words), _JOINED):
        text += b"".join(words[start : start + _JOINED])
    return Vocabulary(
        bytes(text),
        ends,
        indices,
        len(index.words) - len(words),
        rows - 1 - len(words),
    )


def _other_index(index: WordIndex, rules: TokenizerRules, rows: int) -> str:
    """What to do about a word index with more words than the matrix has rows."""
    own = "give the --word-index that the model was trained with"
    if "num_words" in index.settings:
        limit = index.settings["num_words"]
        said = f"num_words {limit}" if limit else "that num_words has no limit"
        return f"its file is a whole Tokenizer, which says {said}, so it is another model's: {own}"
    if rules.num_words:
        return f"num_words is given as {rules.num_words}: {own}, or its num_words"
    return (
        f"if its Tokenizer had num_words={rows}, give {how_to_give('num_words', rows)}; otherwise "
        f"{own}"
    )
