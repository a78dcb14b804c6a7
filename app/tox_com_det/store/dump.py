"""Reads a collection's dump in mongodump's form, one document at a time."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import bson
import numpy as np
from bson.errors import BSONError

from tox_com_det.model.manifest import Embedding
from tox_com_det.store.checksum import ChecksumError, EmbeddingChecksum
from tox_com_det.store.documents import Row, parse_row

_SMALLEST_DOCUMENT = 5
_LARGEST_DOCUMENT = 16 * 1024 * 1024
_NUMBERS = {"float32": "<f4", "float16": "<f2"}


class DumpError(Exception):
    """The dump is missing, damaged, or another embedding's. One line."""


@dataclass(frozen=True)
class Dump:
    """The files of one collection below a dump directory."""

    bson: Path
    bytes: int


def find_dump(directory: Path, embedding: Embedding) -> Dump:
    """The dump of the manifest's collection.

    Raises:
        DumpError: it does not exist; names the collections that do.
    """
    path = directory / embedding.database / f"{embedding.collection}.bson"
    if not path.is_file():
        others = sorted(directory.glob("*/*.bson"))
        found = ", ".join(f"{other.parent.name}.{other.stem}" for other in others) or "none"
        raise DumpError(f"{path} does not exist; collections of this dump: {found}")
    return Dump(path, path.stat().st_size)


def read_documents(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """Each BSON document of a stream as bytes.

    Raises:
        DumpError: a length is impossible or the stream ends inside a document.
    """
    offset = 0
    while True:
        prefix = stream.read(4)
        if not prefix:
            return
        size = struct.unpack("<i", prefix)[0] if len(prefix) == 4 else 0
        if len(prefix) == 4 and not _SMALLEST_DOCUMENT <= size <= _LARGEST_DOCUMENT:
            raise DumpError(f"{name} is damaged: impossible length {size} at byte {offset}")
        document = prefix + stream.read(max(size - 4, 0))
        if len(document) != size:
            raise DumpError(f"{name} is cut off inside the document at byte {offset}")
        yield document
        offset += size


def read_row(document: bytes, embedding: Embedding) -> Row:
    """The row of one BSON document.

    Raises:
        DumpError: not BSON, not in the form of a row, or a number is not finite.
    """
    try:
        row = parse_row(bson.decode(document), embedding)
    except (BSONError, ValueError) as error:
        raise DumpError(f"not a word's document: {error}") from error
    number = _NUMBERS.get(embedding.dtype)
    if number is not None and not np.isfinite(np.frombuffer(row.vector, number)).all():
        raise DumpError(f"the vector of word {row.word!r} has a number that is not finite")
    return row


class EmbeddingCheck:
    """Compares rows in ascending order of the word with the manifest's count and checksum."""

    def __init__(self, embedding: Embedding) -> None:
        self._embedding = embedding
        self._checksum = EmbeddingChecksum()

    @property
    def count(self) -> int:
        """Rows so far."""
        return self._checksum.count

    def add(self, row: Row) -> None:
        """Add a row.

        Raises:
            DumpError: the word is out of order, or occurs twice.
        """
        try:
            self._checksum.add(row.word, row.index, row.vector)
        except ChecksumError as error:
            raise DumpError(str(error)) from error

    def finish(self, what: str) -> None:
        """Compare count and checksum.

        Raises:
            DumpError: one of them differs.
        """
        expected = self._embedding
        if self.count != expected.count:
            raise DumpError(f"{what} has {self.count} words, the manifest says {expected.count}")
        found = self._checksum.value()
        if found != expected.checksum:
            raise DumpError(
                f"{what} has the checksum {found[:19]}..., the manifest says"
                f" {expected.checksum[:19]}...: dump and manifest come from different builds"
            )
