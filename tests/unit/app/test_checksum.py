import hashlib
import struct

import pytest

from tox_com_det import embedding_checksum
from tox_com_det.store.checksum import ChecksumError


def test_the_checksum_is_sha256_over_word_nul_index_vector():
    rows = [("a", 2, b"\x01\x02"), ("é", 1, b"\x03")]
    content = b"a\x00" + struct.pack("<I", 2) + b"\x01\x02"
    content += "é".encode() + b"\x00" + struct.pack("<I", 1) + b"\x03"
    assert embedding_checksum(rows) == "sha256:" + hashlib.sha256(content).hexdigest()


def test_the_index_enters_the_checksum():
    assert embedding_checksum([("a", 1, b"v")]) != embedding_checksum([("a", 2, b"v")])


def test_rows_are_ordered_by_their_utf8_bytes():
    # U+FF01 sorts before U+1F600 in UTF-8, behind it in UTF-16.
    assert embedding_checksum([("\uff01", 1, b""), ("\U0001f600", 2, b"")]).startswith("sha256:")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("b", 1, b""), ("a", 2, b"")], "out of order"),
        ([("a", 1, b""), ("a", 2, b"")], "occurs twice"),
        ([("a", -1, b"")], "int32"),
        ([("a", 2**31, b"")], "int32"),
        ([("\ud800", 1, b"")], "UTF-8"),
    ],
)
def test_rows_that_are_not_an_embedding_are_refused(rows, words):
    with pytest.raises(ChecksumError, match=words):
        embedding_checksum(rows)
