"""Write the words' vectors in mongodump's form, in one pass, with their checksum.

`<database>/<collection>.bson` is one BSON document after the other, `{_id: word, index: int32,
vector: binary}`, ascending by `_id`; `<collection>.metadata.json` is what mongodump 100.x writes
beside it. The collection's name holds the checksum, so it is known only at the end.
Source: https://www.mongodb.com/docs/database-tools/mongodump/
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import bson
from bson.binary import Binary

from model_build.errors import BuildError
from tox_com_det.checksum import ChecksumError, EmbeddingChecksum

DATABASE = "word_embeddings"


@dataclass(frozen=True)
class Dump:
    """What was written: collection, number of documents, checksum of them all, bytes of BSON."""

    collection: str
    count: int
    checksum: str
    bytes: int


def write_dump(
    directory: Path,
    name: str,
    rows: Iterable[tuple[str, int, bytes]],
    progress: Callable[[int], None] = lambda count: None,
) -> Dump:
    """Write the dump of one embedding below `directory` (as `word_embeddings/<collection>.*`).

    Args:
        name: the embedding's name, [a-z0-9_]+, which begins the collection's.
        rows: (word, index, little-endian float32 vector), ascending by the word's UTF-8 bytes.
        progress: called now and then with the number of documents written.

    Raises:
        BuildError: a word out of order, twice, or not UTF-8.
    """
    folder = directory / DATABASE
    folder.mkdir(parents=True)
    unnamed = folder / "unnamed.bson"
    checksum = EmbeddingChecksum()
    size = 0
    with unnamed.open("xb") as file:
        for word, index, vector in rows:
            try:
                checksum.add(word, index, vector)
            except ChecksumError as error:
                raise BuildError(f"the word index cannot be dumped: {error}") from error
            size += file.write(
                bson.encode({"_id": word, "index": index, "vector": Binary(vector, 0)})
            )
            if checksum.count % 512 == 0:
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
