"""Stands in for `EmbeddingDatabase` where a test is about what is asked and what is answered."""

from __future__ import annotations

from collections.abc import Collection

from tiny_bundle import TinyBundle

from tox_com_det.store.database import DatabaseUnavailable, EmbeddingNotReady, Row


class FakeDatabase:
    """Rows of a bundle, with a record of what was asked; can be away or not ready."""

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
