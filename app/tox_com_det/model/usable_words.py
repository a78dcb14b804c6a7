"""Which tokens of a text its sequence or windows can use, found with few and small lookups.

Keras drops unknown words before it cuts a sequence, so without an `oov_token` it takes lookups to
know where a long text is cut: they start at the end that is kept, and stop when the sequence is
full, or all windows that the model has of a long text are. A text of any length costs what these
hold, and not what it is made of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from tox_com_det.model.encode import TextEncoder

# Words of one lookup: a larger one would hold the database and this process's lock for too long.
LOOKUP_WORDS = 500

Lookup = Callable[[Iterable[str]], dict[str, bytes]]


class TooManyUnknownWords(Exception):
    """The texts have more distinct unknown words than a request may have.

    Attributes:
        limit: distinct unknown words that are accepted.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} distinct unknown words")
        self.limit = limit


@dataclass(frozen=True)
class UsableWords:
    """The tokens that enter the sequences, and their rows.

    Attributes:
        tokens: the usable tokens of each text in order, known or not.
        cut: how many tokens of each text were cut off without a lookup.
        rows: row of each known word in `tokens`; may hold others.
    """

    tokens: list[Sequence[str]]
    cut: list[int]
    rows: dict[str, bytes]


def usable_words(
    encoder: TextEncoder,
    texts: Iterable[str],
    lookup: Lookup,
    max_unknown: int | None = None,
    rest: Callable[[], None] = lambda: None,
) -> UsableWords:
    """Look up the words of `texts` that their sequences can use, each word once.

    Args:
        encoder: the model's.
        texts: the texts of one request.
        lookup: rows of those words that are known.
        max_unknown: distinct unknown words that are accepted; None for no limit.
        rest: called between two steps of the work.

    Raises:
        TooManyUnknownWords: there are more.
        Exception: whatever `lookup` raises.
    """
    words = _Words(lookup, max_unknown, rest)
    size = encoder.capacity
    tokenized: list[list[str]] = []
    for text in texts:
        if tokenized:
            rest()
        tokenized.append(encoder.rules.tokens(text))
    if all(len(tokens) <= size for tokens in tokenized):
        # Every token has a position, known or not.
        words.look_up(chain.from_iterable(tokenized))
        return UsableWords(list(tokenized), [0] * len(tokenized), words.rows)
    open_texts = [_OpenText(encoder, tokens) for tokens in tokenized]
    pending = open_texts
    while pending:
        words.look_up(word for text in pending for word in text.widen(size))
        pending = [text for text in pending if not text.count(words.rows)]
        # Texts of unknown words only: fewer rounds than with windows of one size.
        size *= 2
    usable = [text.usable() for text in open_texts]
    cut = [len(text.tokens) - len(kept) for text, kept in zip(open_texts, usable, strict=True)]
    return UsableWords(usable, cut, words.rows)


class _Words:
    """The words that were looked up for one request."""

    def __init__(self, lookup: Lookup, max_unknown: int | None, rest: Callable[[], None]) -> None:
        self.rows: dict[str, bytes] = {}
        self._lookup = lookup
        self._max_unknown = max_unknown
        self._rest = rest
        self._unknown: set[str] = set()

    def look_up(self, words: Iterable[str]) -> None:
        new = list(dict.fromkeys(words))
        if self.rows or self._unknown:
            new = [word for word in new if word not in self.rows and word not in self._unknown]
        for start in range(0, len(new), LOOKUP_WORDS):
            self._rest()
            part = new[start : start + LOOKUP_WORDS]
            self.rows.update(self._lookup(part))
            self._unknown.update(word for word in part if word not in self.rows)
            if self._max_unknown is not None and len(self._unknown) > self._max_unknown:
                raise TooManyUnknownWords(self._max_unknown)


class _OpenText:
    """One text whose tokens are read from the end that its sequence keeps."""

    def __init__(self, encoder: TextEncoder, tokens: list[str]) -> None:
        self.tokens = tokens
        self._capacity = encoder.capacity
        self._from_end = encoder.truncating == "pre"
        # With a row for unknown words every token takes a position.
        self._unknown_counts = encoder.unknown_row is not None
        self._read = 0
        self._counted = 0
        self._used = 0

    def widen(self, size: int) -> Sequence[str]:
        """The next `size` tokens, in the order of the text."""
        start = self._read
        self._read = min(start + size, len(self.tokens))
        if self._from_end:
            return self.tokens[len(self.tokens) - self._read : len(self.tokens) - start]
        return self.tokens[start : self._read]

    def count(self, rows: dict[str, bytes]) -> bool:
        """Count the tokens that were read; whether no more are needed."""
        while self._counted < self._read and self._used < self._capacity:
            token = self.tokens[-1 - self._counted if self._from_end else self._counted]
            self._used += self._unknown_counts or token in rows
            self._counted += 1
        return self._used == self._capacity or self._read == len(self.tokens)

    def usable(self) -> Sequence[str]:
        """The tokens up to the one that fills the sequence, or all of them."""
        if self._from_end:
            return self.tokens[len(self.tokens) - self._counted :]
        return self.tokens[: self._counted]
