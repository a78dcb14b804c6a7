"""Looks words up in one embedding's collection."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from pymongo.database import Database

from tox_com_det.model.manifest import Embedding
from tox_com_det.store.concerns import NEAREST, PRIMARY
from tox_com_det.store.connection import Connection
from tox_com_det.store.documents import MARKER_COLLECTION, Row, marker_problem, parse_row
from tox_com_det.store.errors import DatabaseUnavailable, EmbeddingNotReady

T = TypeVar("T")


class EmbeddingDatabase:
    """Reads one embedding's collection.

    The collection is verified before its first lookup and again after every outage, and each
    lookup also asks for a witness, a word that the collection must have: a collection that was
    dropped under a running app is an error, and not a text of unknown words.

    In a replica set the nearest member answers. The witness was inserted last, and members take
    over writes in their order: one that has it has all words. One that lacks it may be behind, so
    the primary is asked before that is an error.
    """

    def __init__(self, uri: str, timeout_ms: int, embedding: Embedding) -> None:
        self._connection = Connection(uri, timeout_ms)
        self._embedding = embedding
        self._witness: str | None = None

    def find(self, words: Collection[str]) -> list[Row]:
        """Rows of those of `words` that the collection has: one `find` with `$in`.

        Raises:
            DatabaseUnavailable: no reply in time.
            EmbeddingNotReady: the collection is not (or no longer) the manifest's.
        """
        witness = self._witness or self.verify()
        others = [word for word in words if word != witness]
        rows = self._rows([witness, *others], NEAREST)
        if not any(row.word == witness for row in rows):
            rows = self._rows([witness, *others], PRIMARY)
        if not any(row.word == witness for row in rows):
            self._witness = None
            raise EmbeddingNotReady(
                f"{self._embedding.database}.{self._embedding.collection} lost its documents:"
                " run `fab restore-embeddings`"
            )
        requested = set(words)
        return [row for row in rows if row.word in requested]

    def verify(self) -> str:
        """Compare the restore's marker with the manifest; returns the witness.

        Raises:
            DatabaseUnavailable: no reply in time.
            EmbeddingNotReady: no marker, another embedding's marker, or no documents.
        """
        self._witness = None
        try:
            self._witness = self._verified(NEAREST)
        except EmbeddingNotReady:
            self._witness = self._verified(PRIMARY)
        return self._witness

    def close(self) -> None:
        """Close the client's connections."""
        self._connection.close()
        self._witness = None

    def _verified(self, member: Any) -> str:
        embedding = self._embedding
        marker = self._call(
            lambda database: database[MARKER_COLLECTION].find_one({"_id": embedding.collection}),
            member,
        )
        problem = marker_problem(marker, embedding)
        if marker is None or problem is not None:
            raise EmbeddingNotReady(problem)
        witness: str = marker["witness"]
        document = self._call(
            lambda database: database[embedding.collection].find_one({"_id": witness}, {"_id": 1}),
            member,
        )
        if document is None:
            raise EmbeddingNotReady(
                f"{embedding.database}.{embedding.collection} has a marker but no documents:"
                " run `fab restore-embeddings`"
            )
        return witness

    def _rows(self, words: list[str], member: Any) -> list[Row]:
        documents = self._call(
            lambda database: list(
                database[self._embedding.collection].find({"_id": {"$in": words}})
            ),
            member,
        )
        return [self._row(document) for document in documents]

    def _row(self, document: Mapping[str, Any]) -> Row:
        try:
            return parse_row(document, self._embedding)
        except ValueError as error:
            raise EmbeddingNotReady(
                f"{self._embedding.database}.{self._embedding.collection}: {error}:"
                " run `fab restore-embeddings --verify`"
            ) from error

    def _call(self, operation: Callable[[Database[dict[str, Any]]], T], member: Any = NEAREST) -> T:
        name = self._embedding.database
        try:
            return self._connection.call(
                lambda client: operation(client.get_database(name, read_preference=member))
            )
        except DatabaseUnavailable:
            self._witness = None
            raise
