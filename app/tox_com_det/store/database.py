"""Looks words up in one embedding's collection."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.uri_parser import parse_uri

from tox_com_det.model.manifest import Embedding
from tox_com_det.store.documents import MARKER_COLLECTION, Row, marker_problem, parse_row
from tox_com_det.store.errors import DatabaseUnavailable, EmbeddingNotReady

_POOL_SIZE = 4
_RETRY_SECONDS = 0.5
_DEFAULT_PORT = 27017

T = TypeVar("T")


def shown_uri(uri: str) -> str:
    """Host and port of a MongoDB URI, without user and password."""
    try:
        nodes = parse_uri(uri)["nodelist"]
    except (ValueError, PyMongoError):
        return "the given address"
    return ",".join(f"{host}:{port or _DEFAULT_PORT}" for host, port in nodes)


def connect(uri: str, timeout_ms: int) -> MongoClient[dict[str, Any]]:
    """A client with a small pool; nothing is sent before its first use.

    `timeoutMS` limits an operation as a whole, including retries and server selection.
    """
    return MongoClient(
        uri,
        appname="tox_com_det",
        maxPoolSize=_POOL_SIZE,
        timeoutMS=timeout_ms,
        serverSelectionTimeoutMS=timeout_ms,
        connectTimeoutMS=timeout_ms,
        waitQueueTimeoutMS=timeout_ms,
    )


class EmbeddingDatabase:
    """Reads one embedding's collection.

    The client is created on first use, after uWSGI's fork, because a client does not survive one.
    The collection is verified before its first lookup and again after every outage, and each
    lookup also asks for a witness, a word that the collection must have: a collection that was
    dropped under a running app is an error, and not a text of unknown words.
    """

    def __init__(self, uri: str, timeout_ms: int, embedding: Embedding) -> None:
        self._uri = uri
        self._timeout_ms = timeout_ms
        self._embedding = embedding
        self._lock = threading.Lock()
        self._client: MongoClient[dict[str, Any]] | None = None
        self._witness: str | None = None
        self._retry_at = 0.0

    def find(self, words: Collection[str]) -> list[Row]:
        """Rows of those of `words` that the collection has: one `find` with `$in`.

        Raises:
            DatabaseUnavailable: no reply in time.
            EmbeddingNotReady: the collection is not (or no longer) the manifest's.
        """
        witness = self._witness or self.verify()
        others = [word for word in words if word != witness]
        documents = self._call(
            lambda database: list(
                database[self._embedding.collection].find({"_id": {"$in": [witness, *others]}})
            )
        )
        rows = [self._row(document) for document in documents]
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
        embedding = self._embedding
        marker = self._call(
            lambda database: database[MARKER_COLLECTION].find_one({"_id": embedding.collection})
        )
        problem = marker_problem(marker, embedding)
        if marker is None or problem is not None:
            raise EmbeddingNotReady(problem)
        witness: str = marker["witness"]
        document = self._call(
            lambda database: database[embedding.collection].find_one({"_id": witness}, {"_id": 1})
        )
        if document is None:
            raise EmbeddingNotReady(
                f"{embedding.database}.{embedding.collection} has a marker but no documents:"
                " run `fab restore-embeddings`"
            )
        self._witness = witness
        return witness

    def close(self) -> None:
        """Close the client's connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client = None
            self._witness = None

    def _row(self, document: Mapping[str, Any]) -> Row:
        try:
            return parse_row(document, self._embedding)
        except ValueError as error:
            raise EmbeddingNotReady(
                f"{self._embedding.database}.{self._embedding.collection}: {error}"
            ) from error

    def _call(self, operation: Callable[[Database[dict[str, Any]]], T]) -> T:
        # While the database is down, every request would hold a thread for the whole timeout, and
        # two of them block /livez: shortly after a failure, operations fail without trying.
        if time.monotonic() < self._retry_at:
            raise DatabaseUnavailable(f"MongoDB at {shown_uri(self._uri)} does not answer")
        try:
            with self._lock:
                if self._client is None:
                    self._client = connect(self._uri, self._timeout_ms)
                database = self._client[self._embedding.database]
            return operation(database)
        except PyMongoError as error:
            self._witness = None
            self._retry_at = time.monotonic() + _RETRY_SECONDS
            what = "does not answer"
            if isinstance(error, OperationFailure) and not error.timeout:
                reason = str((error.details or {}).get("errmsg", error.code))
                # From the brace on it is the command, which has the words of a comment.
                what = f"refused: {reason.partition('{')[0].strip()}"
            raise DatabaseUnavailable(f"MongoDB at {shown_uri(self._uri)} {what}") from error
