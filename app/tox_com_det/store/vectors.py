"""Word vectors on demand: a bounded cache in front of the database."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable
from typing import Generic, Protocol, TypeVar

from tox_com_det.model.tokenizer import TokenizerRules
from tox_com_det.store.database import EmbeddingNotReady, Row

V = TypeVar("V")

# Longer words are asked for every time, so that what a stranger makes up cannot fill the memory.
LONGEST_CACHED_WORD = 64


class RowSource(Protocol):
    """Anything that finds rows by word; `database.EmbeddingDatabase` on a server."""

    def find(self, words: Collection[str]) -> list[Row]:
        """Rows of those of `words` that exist."""
        ...


class LeastRecentlyUsed(Generic[V]):
    """A mapping that forgets the entry not used for longest. Not thread-safe by itself."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[str, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def get(self, key: str) -> V | None:
        """The entry, which counts as used now, or None."""
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value

    def put(self, key: str, value: V) -> None:
        """Remember an entry and forget the oldest ones beyond the limit."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        while len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()


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
        self._known: LeastRecentlyUsed[bytes] = LeastRecentlyUsed(cache_words)
        self._unknown: LeastRecentlyUsed[bool] = LeastRecentlyUsed(cache_words)
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
                    found[word] = vector
                elif self._unknown.get(word) is None and _can_be_asked(word):
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
        return self._read([word for word in dict.fromkeys(words) if _can_be_asked(word)])

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
                self._unknown.put(word, True)
            else:
                self._known.put(word, vector)


def _can_be_asked(word: str) -> bool:
    """False for half a surrogate pair, which no database can hold as text."""
    try:
        word.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
