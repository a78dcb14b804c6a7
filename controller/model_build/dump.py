"""Write word vectors in mongodump's format, in one pass, with their checksum.

`<database>/<collection>.bson` is one BSON document after the other, `{_id: word, index: int32,
vector: binary}`, ascending by `_id`; `<collection>.metadata.json` is what mongodump 100.x writes
beside it. The collection's name contains the checksum, so it is known only at the end.
Source: https://www.mongodb.com/docs/database-tools/mongodump/
"""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bson

from controller.model_build.errors import BuildError
from controller.progress import megabytes
from tox_com_det.store.checksum import ChecksumError, EmbeddingChecksum

DATABASE = "word_embeddings"
_BYTES_BESIDE_ROW = 60  # of a document: word, index, names of the fields
_STEP = 512  # documents between two calls of `progress`


@dataclass(frozen=True)
class Dump:
    """A written dump.

    Attributes:
        collection: name of the collection.
        count: number of documents.
        checksum: of all documents.
        bytes: size of the BSON file.
    """

    collection: str
    count: int
    checksum: str
    bytes: int


def check_space(directory: Path, count: int, row_bytes: int) -> None:
    """Refuse to begin a dump that does not fit on the disk.

    Raises:
        BuildError: less free space than `count` documents with rows of `row_bytes` need.
    """
    needed, free = count * (row_bytes + _BYTES_BESIDE_ROW), shutil.disk_usage(directory).free
    if needed > free:
        raise BuildError(
            f"{directory.parent}: the word vectors need about {megabytes(needed)}, but only "
            f"{megabytes(free)} are free: free some space or choose another --out"
        )


def write_dump(
    directory: Path,
    name: str,
    rows: Iterable[tuple[str, int, bytes | None]],
    progress: Callable[[int], None] = lambda count: None,
) -> Dump:
    """Write the dump of one embedding below `directory` (as `word_embeddings/<collection>.*`).

    Args:
        directory: where to write.
        name: the embedding's name, [a-z0-9_]+, with which the collection's name begins.
        rows: (word, index, vector in little-endian bytes), ascending by the word's UTF-8 bytes.
            Without a vector (None) documents have only the index, whose bytes are the row.
        progress: called from time to time with the number of documents written.

    Raises:
        BuildError: a word is out of order, occurs twice, or is not UTF-8.
    """
    folder = directory / DATABASE
    folder.mkdir(parents=True)
    unnamed = folder / "unnamed.bson"
    checksum = EmbeddingChecksum()
    size = 0
    with unnamed.open("xb") as file:
        for word, index, vector in rows:
            try:
                row = struct.pack("<i", index) if vector is None else vector
                checksum.add(word, index, row)
            except ChecksumError as error:
                raise BuildError(
                    f"the word index cannot be written: {error}: give the word index of the "
                    "model's tokenizer with --word-index"
                ) from error
            document: dict[str, Any] = {"_id": word, "index": index}
            if vector is not None:
                document["vector"] = vector  # bytes become binary of subtype 0
            size += file.write(bson.encode(document))
            if checksum.count % _STEP == 0:
                progress(checksum.count)
        progress(checksum.count)
        file.flush()
        os.fsync(file.fileno())
    value = checksum.value()
    collection = f"{name}_{value.removeprefix('sha256:')[:12]}"
    unnamed.rename(folder / f"{collection}.bson")
    metadata = {
        "options": {},
        "indexes": [{"v": 2, "key": {"_id": 1}, "name": "_id_"}],
        "collectionName": collection,
        "type": "collection",
    }
    (folder / f"{collection}.metadata.json").write_text(
        json.dumps(metadata, separators=(",", ":")), encoding="utf-8"
    )
    return Dump(collection, checksum.count, value, size)
