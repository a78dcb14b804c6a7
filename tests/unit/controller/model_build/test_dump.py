"""The dump is what mongorestore expects: BSON documents by ascending word, with their checksum."""

from __future__ import annotations

import hashlib
import json
import struct

import bson
import pytest

from controller.model_build.dump import write_dump
from controller.model_build.errors import BuildError
from tox_com_det import embedding_checksum

ROWS = [
    ("Zebra", 7, struct.pack("<2f", 1.0, -1.0)),
    ("a", 1, struct.pack("<2f", 0.0, 0.0)),
    ("für", 2, struct.pack("<2f", 0.5, 0.25)),
    ("﷽", 3, struct.pack("<2f", 3.0, 4.0)),
    ("😀", 4, struct.pack("<2f", 5.0, 6.0)),
]


def documents(path):
    with path.open("rb") as file:
        return list(bson.decode_file_iter(file))


def test_documents_are_in_order_with_binary_vectors(tmp_path):
    dump = write_dump(tmp_path, "glove2", ROWS)
    found = documents(tmp_path / "word_embeddings" / f"{dump.collection}.bson")
    assert [(one["_id"], one["index"], one["vector"]) for one in found] == ROWS
    assert [list(one) for one in found] == [["_id", "index", "vector"]] * len(ROWS)
    assert isinstance(found[0]["vector"], bytes)  # BSON binary, subtype 0
    assert dump.count == len(ROWS)
    size = (tmp_path / "word_embeddings" / f"{dump.collection}.bson").stat().st_size
    assert dump.bytes == size


def test_checksum_equals_the_servers_and_names_the_collection(tmp_path):
    dump = write_dump(tmp_path, "glove2", ROWS)
    assert dump.checksum == embedding_checksum(ROWS)
    by_hand = hashlib.sha256(
        b"".join(
            word.encode() + b"\0" + struct.pack("<I", index) + row for word, index, row in ROWS
        )
    ).hexdigest()
    assert dump.checksum == f"sha256:{by_hand}"
    assert dump.collection == f"glove2_{by_hand[:12]}"


def test_metadata_is_as_mongodump_writes_it(tmp_path):
    dump = write_dump(tmp_path, "glove2", ROWS)
    folder = tmp_path / "word_embeddings"
    assert sorted(path.name for path in folder.iterdir()) == [
        f"{dump.collection}.bson",
        f"{dump.collection}.metadata.json",
    ]
    assert json.loads((folder / f"{dump.collection}.metadata.json").read_text()) == {
        "options": {},
        "indexes": [{"v": 2, "key": {"_id": 1}, "name": "_id_"}],
        "collectionName": dump.collection,
        "type": "collection",
    }


def test_index_is_an_int32(tmp_path):
    dump = write_dump(tmp_path, "glove2", ROWS[:1])
    raw = (tmp_path / "word_embeddings" / f"{dump.collection}.bson").read_bytes()
    assert b"\x10index\x00" + struct.pack("<i", 7) in raw
    assert b"\x05vector\x00" + struct.pack("<i", 8) + b"\x00" in raw


@pytest.mark.parametrize("rows", [ROWS[::-1], [ROWS[0], ROWS[0]]])
def test_wrong_order_and_a_repeated_word_are_refused(tmp_path, rows):
    with pytest.raises(BuildError, match="the word index cannot be written"):
        write_dump(tmp_path, "glove2", rows)


def test_progress_ends_with_the_number_of_words(tmp_path):
    rows = [(f"{number:05}", number, b"") for number in range(1, 1200)]
    seen = []
    write_dump(tmp_path, "x", rows, seen.append)
    assert seen == [512, 1024, 1199]
