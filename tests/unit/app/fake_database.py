"""In place of `EmbeddingDatabase`: records lookups, and can be down or not ready."""

from __future__ import annotations

from collections.abc import Collection

from tiny_bundle import TinyBundle

from tox_com_det.store.documents import Row
from tox_com_det.store.errors import DatabaseUnavailable, EmbeddingNotReady


class FakeDatabase:
    """Rows of a bundle; `asked` records the lookups."""

    def __init__(self, bundle: TinyBundle) -> None:
        self.rows = {word: Row(word, index, vector) for word, index, vector in bundle.rows()}
        self.asked: list[list[str]] = []
        self.away = False
        self.problem: str | None = None

    def find(self, words: Collection[str]) -> list[Row]:
        """Rows of `words`."""
        self.verify()
        self.asked.append(list(words))
        return [self.rows[word] for word in words if word in self.rows]

    def verify(self) -> str:
        """Raise what the database would raise."""
        if self.away:
            raise DatabaseUnavailable("MongoDB at 127.0.0.1:27017 does not answer")
        if self.problem is not None:
            raise EmbeddingNotReady(self.problem)
        return next(iter(self.rows))
