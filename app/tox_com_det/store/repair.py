"""Repairs a collection in place, word by word: what serves from it goes on meanwhile."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np
from bson.raw_bson import RawBSONDocument
from numpy.typing import NDArray
from pymongo import ReplaceOne
from pymongo.collection import Collection

from tox_com_det.model.manifest import Embedding
from tox_com_det.store.concerns import MAJORITY
from tox_com_det.store.disk_space import DiskSpace
from tox_com_det.store.documents import Row, parse_row
from tox_com_det.store.dump import Dump, read_documents, read_row
from tox_com_det.store.maintenance import Documents, count_words
from tox_com_det.store.progress import Progress, Say

_BATCH = 1000

Words = Collection[dict[str, Any]]


def is_mostly_there(database: Documents, embedding: Embedding) -> bool:
    """Whether more than half of the words are there, so that a model may serve from them."""
    exists = embedding.collection in database.list_collection_names()
    return exists and 2 * count_words(database, embedding) > embedding.count


def repair(
    database: Documents, dump: Dump, embedding: Embedding, say: Say, space: DiskSpace
) -> int:
    """Replace what differs from a checked dump, add what is missing, remove what is not in it.

    Returns:
        How many documents were written or removed.

    Raises:
        DumpError: the dump cannot be read any more.
        RestoreError: the disk is nearly full.
        PyMongoError: the database failed.
    """
    collection = database.get_collection(embedding.collection, write_concern=MAJORITY)
    progress = Progress(say, "comparing", embedding.count)
    changed = count = size = 0
    with dump.bson.open("rb") as stream:
        documents = read_documents(stream, dump.bson.name)
        while batch := {read_row(one, embedding): one for one in islice(documents, _BATCH)}:
            wrong = _wrong(collection, list(batch), embedding)
            if wrong:
                space.check_during()
                collection.bulk_write(
                    [
                        ReplaceOne({"_id": row.word}, RawBSONDocument(batch[row]), upsert=True)
                        for row in wrong
                    ],
                    ordered=False,
                )
            changed, count = changed + len(wrong), count + len(batch)
            size += sum(len(row.vector) for row in batch)
            progress.step(count, size)
    progress.done(count, size)
    # Counted, since an estimate may be old after a crash.
    if collection.count_documents({}) > embedding.count:
        changed += _remove_others(collection, dump, embedding)
    return changed


def _wrong(collection: Words, rows: list[Row], embedding: Embedding) -> list[Row]:
    """Those of the rows that are missing in the collection, or differ there."""
    words = [row.word for row in rows]
    found = {one["_id"]: one for one in collection.find({"_id": {"$in": words}})}
    return [row for row in rows if not _is_row(found.get(row.word), row, embedding)]


def _is_row(document: Mapping[str, Any] | None, row: Row, embedding: Embedding) -> bool:
    try:
        return document is not None and parse_row(document, embedding) == row
    except ValueError:
        return False


def _remove_others(collection: Words, dump: Dump, embedding: Embedding) -> int:
    """Remove the documents that are not in the dump; returns how many."""
    known = _fingerprints(dump, embedding)
    others = [one["_id"] for one in collection.find({}, {"_id": 1}) if not _has(known, one["_id"])]
    return sum(
        collection.delete_many({"_id": {"$in": others[at : at + _BATCH]}}).deleted_count
        for at in range(0, len(others), _BATCH)
    )


def _fingerprints(dump: Dump, embedding: Embedding) -> NDArray[np.uint64]:
    """8 bytes for each word of the dump, sorted: the words themselves may not fit into memory."""
    with dump.bson.open("rb") as stream:
        words = (
            _fingerprint(read_row(one, embedding).word)
            for one in read_documents(stream, dump.bson.name)
        )
        return np.sort(np.fromiter(words, np.uint64))


def _fingerprint(word: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big"))


def _has(known: NDArray[np.uint64], word: Any) -> bool:
    if not isinstance(word, str):
        return False
    wanted = _fingerprint(word)
    place = int(np.searchsorted(known, wanted))
    return place < len(known) and bool(known[place] == wanted)
