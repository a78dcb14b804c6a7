"""What restoring, verifying and pruning share: a client with long timeouts, counts and drops."""

from __future__ import annotations

from typing import Any

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

from tox_com_det.model.manifest import Embedding
from tox_com_det.store.connection import shown_uri
from tox_com_det.store.documents import MARKER_COLLECTION

CONNECT_MS = 5000
_SOCKET_MS = 120_000
_LONGEST_LINE = 300

Documents = Database[dict[str, Any]]


def patient_client(uri: str, name: str) -> MongoClient[dict[str, Any]]:
    """A client for operations that may take minutes; nothing is sent before its first use."""
    return MongoClient(
        uri,
        appname=name,
        serverSelectionTimeoutMS=CONNECT_MS,
        connectTimeoutMS=CONNECT_MS,
        socketTimeoutMS=_SOCKET_MS,
        maxPoolSize=1,
        # Of a replica set, not what a member has that is behind: whatever the URI says.
        readPreference="primary",
    )


def database_problem(uri: str, error: PyMongoError) -> str:
    """One line for a failure of the database, with the command that shows more."""
    unreachable = isinstance(error, ConnectionFailure)
    what = " does not answer" if unreachable else f": {first_line(error)}"
    return f"MongoDB at {shown_uri(uri)}{what}: see `systemctl status mongod secantusdb`"


def first_line(error: BaseException) -> str:
    """The message of an error without the reply and the documents that PyMongo appends."""
    details = getattr(error, "details", None) or {}
    written = details.get("writeErrors") or details.get("writeConcernErrors") or [{}]
    message = details.get("errmsg") or written[0].get("errmsg") or str(error)
    return str((message.splitlines() or [type(error).__name__])[0])[:_LONGEST_LINE]


def count_words(database: Documents, embedding: Embedding) -> int:
    """Number of documents in the embedding's collection.

    MongoDB's own count is free, but can stay wrong after a crash: where it is not the manifest's,
    every document is counted.
    """
    collection = database[embedding.collection]
    found = collection.estimated_document_count()
    return found if found == embedding.count else collection.count_documents({})


def count_problem(database: Documents, embedding: Embedding) -> str | None:
    """Words for a count that is not the manifest's, or None."""
    found = count_words(database, embedding)
    if found == embedding.count:
        return None
    name = f"{embedding.database}.{embedding.collection}"
    return f"{name} has {found} words, the manifest says {embedding.count}"


def stored_bytes(database: Documents, name: str) -> int | None:
    """Bytes of an existing collection on disk; None where the database does not report them."""
    try:
        stats = database.command("collStats", name)
        return int(stats["storageSize"]) + int(stats["totalIndexSize"])
    except (OperationFailure, KeyError, TypeError, ValueError):
        return None


def drop(database: Documents, name: str) -> None:
    """Drop a collection and its marker.

    The marker goes first: it must never stand for a collection that is being dropped. SecantusDB
    refuses to delete from a collection that does not exist, so the marker is looked up before.
    """
    marker = {"_id": name}
    if database[MARKER_COLLECTION].find_one(marker) is not None:
        database[MARKER_COLLECTION].delete_one(marker)
    database.drop_collection(name)
