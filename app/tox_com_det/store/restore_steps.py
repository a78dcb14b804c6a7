"""The steps of a restore: check the dump, insert it, read it back, mark it."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from tox_com_det.model.manifest import Embedding
from tox_com_det.store.concerns import JOURNALED, MAJORITY
from tox_com_det.store.disk_space import DiskSpace
from tox_com_det.store.documents import MARKER_COLLECTION, marker_of, parse_row
from tox_com_det.store.dump import Dump, DumpError, EmbeddingCheck, read_documents, read_row
from tox_com_det.store.errors import RestoreError
from tox_com_det.store.maintenance import count_problem
from tox_com_det.store.progress import Progress, Say

BATCH_BYTES = 2 * 1024 * 1024
BATCH_DOCUMENTS = 1000
_READ_BATCH = 1000

Client = MongoClient[dict[str, Any]]


def check_dump(dump: Dump, embedding: Embedding, say: Say) -> None:
    """Compare every document, the count and the checksum with the manifest.

    Raises:
        DumpError: the dump is damaged, or another embedding's.
    """
    check, progress, size = EmbeddingCheck(embedding), Progress(say, "checking", embedding.count), 0
    with dump.bson.open("rb") as stream:
        for document in read_documents(stream, dump.bson.name):
            try:
                check.add(read_row(document, embedding))
            except DumpError as error:
                raise DumpError(f"{dump.bson}, document {check.count}: {error}") from error
            size += len(document)
            progress.step(check.count, size)
    check.finish(str(dump.bson))
    progress.done(check.count, size)


def insert(client: Client, dump: Dump, embedding: Embedding, say: Say, space: DiskSpace) -> None:
    """Insert the dump with PyMongo, in batches.

    Raises:
        RestoreError: the disk is nearly full.
        PyMongoError: the database failed.
    """
    collection = client[embedding.database].get_collection(
        embedding.collection, write_concern=MAJORITY
    )
    progress = Progress(say, "restoring", embedding.count)
    count = size = pending = 0
    batch: list[RawBSONDocument] = []
    with dump.bson.open("rb") as stream:
        for document in read_documents(stream, dump.bson.name):
            batch.append(RawBSONDocument(document))
            pending += len(document)
            if pending >= BATCH_BYTES or len(batch) >= BATCH_DOCUMENTS:
                space.check_during()
                collection.insert_many(batch, ordered=True)
                count, size, pending, batch = count + len(batch), size + pending, 0, []
                progress.step(count, size)
    if batch:
        collection.insert_many(batch, ordered=True)
        count, size = count + len(batch), size + pending
    progress.done(count, size)


def read_back(client: Client, dump: Dump, embedding: Embedding, say: Say) -> str:
    """Read every word back and compare; returns one of the words.

    The words of the dump are looked up by key, in batches and in the dump's order, which is that
    of the checksum: the server neither sorts nor holds more than one batch, whatever the dump's
    size.

    Raises:
        DumpError, RestoreError: a word is missing or differs.
        PyMongoError: the database failed.
    """
    word = ""
    check = EmbeddingCheck(embedding)
    progress, size = Progress(say, "verifying", embedding.count), 0
    collection = client[embedding.database][embedding.collection]
    with dump.bson.open("rb") as stream:
        documents = read_documents(stream, dump.bson.name)
        while words := [read_row(one, embedding).word for one in islice(documents, _READ_BATCH)]:
            found = {one["_id"]: one for one in collection.find({"_id": {"$in": words}})}
            for word in words:
                if word not in found:
                    raise RestoreError(f"read back: word {word!r} is missing")
                try:
                    row = parse_row(found[word], embedding)
                except ValueError as error:
                    raise RestoreError(f"read back: {error}") from error
                check.add(row)
                size += len(row.vector)
            progress.step(check.count, size)
    check.finish(f"{embedding.database}.{embedding.collection}, read back,")
    progress.done(check.count, size)
    return word


def mark(client: Client, embedding: Embedding, witness: str) -> None:
    """Write the marker that makes the collection count as restored."""
    marker = {**marker_of(embedding, witness), "restored_at": datetime.now(UTC)}
    database = client[embedding.database]
    try:
        _write_marker(database.get_collection(MARKER_COLLECTION, write_concern=JOURNALED), marker)
    except OperationFailure:
        # A server without a journal refuses j; the documents were verified all the same.
        _write_marker(database.get_collection(MARKER_COLLECTION, write_concern=MAJORITY), marker)


def _write_marker(collection: Any, marker: dict[str, Any]) -> None:
    collection.replace_one({"_id": marker["_id"]}, marker, upsert=True)


def check_count(client: Client, embedding: Embedding) -> None:
    """Refuse words that are not in the dump, which `read_back` does not see.

    Raises:
        RestoreError: the count is not the manifest's.
    """
    problem = count_problem(client[embedding.database], embedding)
    if problem is not None:
        raise RestoreError(f"{problem}: run `fab restore-embeddings` again")
