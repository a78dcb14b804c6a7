"""The embedding in MongoDB: how a document looks, when a collection counts as restored, lookups."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.uri_parser import parse_uri

from tox_com_det.model.manifest import Embedding

MARKER_COLLECTION = "restored"
_POOL_SIZE = 4
_REST_SECONDS = 0.5
_LOCAL_PORT = 27017


class DatabaseUnavailable(Exception):
    """MongoDB does not answer, or refuses to; it may come back."""


class EmbeddingNotReady(Exception):
    """MongoDB answers, but the collection is not the one the manifest was built with."""


@dataclass(frozen=True, slots=True)
class Row:
    """One word: its index and its vector in little-endian bytes."""

    word: str
    index: int
    vector: bytes


def parse_row(document: Mapping[str, Any], embedding: Embedding) -> Row:
    """A row out of a document `{_id: word, index: int32, vector: binary}`.

    Where the head holds the matrix there is no `vector`, and the row is the index.

    Raises:
        ValueError: the document is not in that form or the vector has another length.
    """
    indices_only = embedding.dtype == "index"
    wanted = ["_id", "index"] if indices_only else ["_id", "index", "vector"]
    if document.keys() != set(wanted):
        raise ValueError(f"a document has the fields {sorted(document)}, not {', '.join(wanted)}")
    word, index, vector = document["_id"], document["index"], document.get("vector")
    if not isinstance(word, str) or not word:
        raise ValueError(f"a document has the _id {word!r}, which is no word")
    if not isinstance(index, int) or isinstance(index, bool) or index < 1:
        raise ValueError(f"word {word!r} has the index {index!r}")
    if indices_only:
        return Row(word, index, struct.pack("<i", index))
    # Binary of subtype 0 arrives as plain bytes; other subtypes are a class of their own.
    if type(vector) is not bytes or len(vector) != embedding.vector_bytes:
        size = f"{len(vector)} bytes" if isinstance(vector, bytes) else type(vector).__name__
        raise ValueError(
            f"the vector of word {word!r} is {size}, wanted {embedding.vector_bytes} bytes"
            f" ({embedding.dimension} x {embedding.dtype})"
        )
    return Row(word, index, vector)


def marker_of(embedding: Embedding, witness: str) -> dict[str, Any]:
    """What the marker of a finished restore says, without its time.

    `witness` is a word of the collection: asking for it tells, by the index, whether the documents
    are still there.
    """
    return {
        "witness": witness,
        "_id": embedding.collection,
        "count": embedding.count,
        "checksum": embedding.checksum,
        "dimension": embedding.dimension,
        "dtype": embedding.dtype,
    }


def marker_problem(marker: Mapping[str, Any] | None, embedding: Embedding) -> str | None:
    """Words for why a marker does not vouch for the embedding, or None where it does."""
    where = f"{embedding.database}.{embedding.collection}"
    mend = "run `fab restore-embeddings`"
    if marker is None:
        return f"{where} is not restored (no marker): {mend}"
    witness = marker.get("witness")
    if not isinstance(witness, str):
        return f"the marker of {where} names no word: {mend}"
    for key, wanted in marker_of(embedding, witness).items():
        if marker.get(key) != wanted:
            return f"{where} has {key} {marker.get(key)!r}, the manifest {wanted!r}: {mend}"
    return None


def shown_uri(uri: str) -> str:
    """Host and port of a MongoDB URI, without user and password."""
    try:
        nodes = parse_uri(uri)["nodelist"]
    except (ValueError, PyMongoError):
        return "the given address"
    return ",".join(f"{host}:{port or _LOCAL_PORT}" for host, port in nodes)


def connect(uri: str, timeout_ms: int) -> MongoClient[dict[str, Any]]:
    """A client with a small pool; nothing is sent before its first use.

    `timeoutMS` bounds an operation as a whole, retries and the choice of a server included.
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

    The client is made on first use: after uWSGI's fork, since a client does not survive one. The
    collection is verified before its first lookup and again after every outage, and each lookup
    also asks for one word that is known to be there: a collection that vanished under a running
    app is an error and never a text full of unknown words.
    """

    def __init__(self, uri: str, timeout_ms: int, embedding: Embedding) -> None:
        self._uri = uri
        self._timeout_ms = timeout_ms
        self._embedding = embedding
        self._lock = threading.Lock()
        self._client: MongoClient[dict[str, Any]] | None = None
        self._witness: str | None = None
        self._rest_until = 0.0

    def find(self, words: Collection[str]) -> list[Row]:
        """Rows of those of `words` that the collection holds: one `find` with `$in`.

        Raises:
            DatabaseUnavailable: no answer in time.
            EmbeddingNotReady: the collection is not (or no longer) the manifest's.
        """
        witness = self._witness or self.verify()
        asked = [word for word in words if word != witness]
        documents = self._call(
            lambda database: list(
                database[self._embedding.collection].find({"_id": {"$in": [witness, *asked]}})
            )
        )
        rows = [self._row(document) for document in documents]
        if not any(row.word == witness for row in rows):
            self._witness = None
            raise EmbeddingNotReady(
                f"{self._embedding.database}.{self._embedding.collection} lost its documents:"
                " run `fab restore-embeddings`"
            )
        wanted = set(words)
        return [row for row in rows if row.word in wanted]

    def verify(self) -> str:
        """Check the marker of the restore against the manifest; a word that is there.

        Raises:
            DatabaseUnavailable: no answer in time.
            EmbeddingNotReady: no marker, a marker of something else, or no documents.
        """
        self._witness = None
        embedding = self._embedding
        marker = self._call(
            lambda database: database[MARKER_COLLECTION].find_one({"_id": embedding.collection})
        )
        problem = marker_problem(marker, embedding)
        if problem is not None:
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

    def _call(self, operation: Any) -> Any:
        # While the database is away every request would hold a thread for the whole timeout, and
        # two of them silence /livez: after a failure the next ones fail at once for a moment.
        if time.monotonic() < self._rest_until:
            raise DatabaseUnavailable(f"MongoDB at {shown_uri(self._uri)} does not answer")
        try:
            with self._lock:
                if self._client is None:
                    self._client = connect(self._uri, self._timeout_ms)
                database = self._client[self._embedding.database]
            return operation(database)
        except PyMongoError as error:
            self._witness = None
            self._rest_until = time.monotonic() + _REST_SECONDS
            what = "does not answer"
            if isinstance(error, OperationFailure) and not error.timeout:
                what = f"refuses: {(error.details or {}).get('errmsg', error.code)}"
            raise DatabaseUnavailable(f"MongoDB at {shown_uri(self._uri)} {what}") from error
