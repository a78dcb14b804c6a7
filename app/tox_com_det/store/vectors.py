"""Word vectors on demand: a bounded cache in front of the database."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable
from typing import Any, Protocol

from tox_com_det.model.tokenizer import TokenizerRules
from tox_com_det.store.database import EmbeddingNotReady, Row

# Longer words are asked for every time, so that what a stranger makes up cannot fill the memory.
LONGEST_CACHED_WORD = 64


class RowSource(Protocol):
    """Anything that finds rows by word; `database.EmbeddingDatabase` on a server."""

    def find(self, words: Collection[str]) -> list[Row]:
        """Rows of those of `words` that exist."""
        ...


class Vectors:
    """Vectors of words, each word asked of the database once as long as it is remembered.

    Known and unknown words have a cache each of `cache_words` entries: misspellings do not push
    vectors out, and a word without a vector is not asked for again. About
    `cache_words x (4 x dimension + 250)` bytes for the vectors (30 MB for 20,000 x 300) and at
    most 8 MB for the unknown words. While the database is away a text is still answered if all
    of its words are remembered: what they are cannot change below one manifest.
    """

    def __init__(self, source: RowSource, rules: TokenizerRules, cache_words: int) -> None:
        self._source = source
        self._rules = rules
        self._lock = threading.Lock()
        self._limit = cache_words
        # In the order of their last use, the latest at the end.
        self._known: OrderedDict[str, bytes] = OrderedDict()
        self._unknown: OrderedDict[str, None] = OrderedDict()
        self._epoch = 0

    def lookup(self, words: Iterable[str]) -> dict[str, bytes]:
        """Vector bytes of each known and reachable word: at most one `find` of the source.

        Raises:
            DatabaseUnavailable, EmbeddingNotReady: a word that is not remembered had to be asked
                for (see `EmbeddingDatabase.find`).
        """
        found: dict[str, bytes] = {}
        missing: list[str] = []
        with self._lock:
            epoch = self._epoch
            for word in dict.fromkeys(words):
                vector = self._known.get(word)
                if vector is not None:
                    self._known.move_to_end(word)
                    found[word] = vector
                elif word in self._unknown:
                    self._unknown.move_to_end(word)
                elif _is_valid_text(word):
                    missing.append(word)
        if missing:
            # Outside the lock: a slow database must not stop a text whose words are remembered.
            try:
                fresh = self._read(missing)
            except EmbeddingNotReady:
                self.forget()
                raise
            found.update(fresh)
            with self._lock:
                if epoch == self._epoch:
                    self._remember(missing, fresh)
        return found

    def lookup_uncached(self, words: Iterable[str]) -> dict[str, bytes]:
        """As `lookup`, but straight from the source and without remembering anything."""
        return self._read([word for word in dict.fromkeys(words) if _is_valid_text(word)])

    def forget(self) -> None:
        """Empty the cache; answers still under way are not remembered either."""
        with self._lock:
            self._epoch += 1
            self._known.clear()
            self._unknown.clear()

    def sizes(self) -> tuple[int, int]:
        """How many known and unknown words are remembered."""
        with self._lock:
            return len(self._known), len(self._unknown)

    def _read(self, words: list[str]) -> dict[str, bytes]:
        # An index beyond num_words is as unknown as in Keras, whatever the collection holds.
        return {
            row.word: row.vector
            for row in self._source.find(words)
            if self._rules.reachable(row.index)
        }

    def _remember(self, words: list[str], fresh: dict[str, bytes]) -> None:
        for word in words:
            if len(word) > LONGEST_CACHED_WORD:
                continue
            vector = fresh.get(word)
            if vector is None:
                self._unknown[word] = None
            else:
                self._known[word] = vector
        self._evict(self._known)
        self._evict(self._unknown)

    def _evict(self, cache: OrderedDict[str, Any]) -> None:
        while len(cache) > self._limit:
            cache.popitem(last=False)


def _is_valid_text(word: str) -> bool:
    """False for half a surrogate pair, which no database can hold as text."""
    try:
        word.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
