"""Word vectors on demand: a bounded cache in front of the database."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable
from typing import Any, Protocol

from tox_com_det.model.tokenizer import TokenizerRules
from tox_com_det.store.documents import Row
from tox_com_det.store.errors import EmbeddingNotReady

# Longer words are not cached, so that a client cannot fill the memory with made-up words.
LONGEST_CACHED_WORD = 64


class RowSource(Protocol):
    """Anything that finds rows by word; `database.EmbeddingDatabase` on a server."""

    def find(self, words: Collection[str]) -> list[Row]:
        """Rows of those of `words` that exist."""


class Vectors:
    """Vectors of words, with a cache in front of the database. Thread-safe.

    Known and unknown words have a cache each of `cache_words` entries, and the least recently used
    entry is evicted: misspellings do not evict vectors, and a word without a vector is looked up
    once. The vectors take about `cache_words x (4 x dimension + 250)` bytes (30 MB for
    20,000 x 300), the unknown words at most 8 MB. While the database is down, a text is still
    scored if all of its words are cached: one manifest's vectors never change.
    """

    def __init__(self, source: RowSource, rules: TokenizerRules, cache_words: int) -> None:
        self._source = source
        self._rules = rules
        self._lock = threading.Lock()
        self._limit = cache_words
        # In order of use, the most recently used word last.
        self._known: OrderedDict[str, bytes] = OrderedDict()
        self._unknown: OrderedDict[str, None] = OrderedDict()
        self._epoch = 0

    def lookup(self, words: Iterable[str]) -> dict[str, bytes]:
        """Vector bytes of each known and reachable word, with at most one `find` of the source.

        Raises:
            DatabaseUnavailable, EmbeddingNotReady: a word was not cached, and could not be looked
                up (see `EmbeddingDatabase.find`).
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
            # Outside the lock: a slow database must not block a text whose words are cached.
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
        """Like `lookup`, but without the cache."""
        return self._read([word for word in dict.fromkeys(words) if _is_valid_text(word)])

    def forget(self) -> None:
        """Empty the cache; lookups still in progress are not cached either."""
        with self._lock:
            self._epoch += 1
            self._known.clear()
            self._unknown.clear()

    def sizes(self) -> tuple[int, int]:
        """Number of known and of unknown words in the cache."""
        with self._lock:
            return len(self._known), len(self._unknown)

    def _read(self, words: list[str]) -> dict[str, bytes]:
        # As in Keras, a word with an index beyond num_words is unknown.
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
    """False for half a surrogate pair, which cannot be encoded as UTF-8."""
    try:
        word.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
