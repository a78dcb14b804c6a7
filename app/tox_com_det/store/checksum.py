"""The checksum that ties an embedding in MongoDB to the head it was built with.

Standard library only. The laptop computes it while it writes the dump, and the server again while
it reads the restored documents back.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable

_MAX_INT32 = 2**31 - 1


class ChecksumError(ValueError):
    """The rows are not an embedding: wrong order, a word twice, or an index outside int32."""


class EmbeddingChecksum:
    """SHA-256 over rows in ascending order of the word's UTF-8 bytes.

    Each row adds `utf8(word) + NUL + little-endian uint32 index + vector bytes`.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._last: bytes | None = None
        self.count = 0

    def add(self, word: str, index: int, vector: bytes) -> None:
        """Add one row.

        Raises:
            ChecksumError: the word is not greater than the previous one or cannot be encoded, or
                the index is not in 0..2**31-1.
        """
        try:
            key = word.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ChecksumError(f"word {word!r} cannot be encoded as UTF-8") from error
        if self._last is not None and key <= self._last:
            what = "occurs twice" if key == self._last else "is out of order"
            raise ChecksumError(f"word {word!r} {what} in row {self.count}")
        if not 0 <= index <= _MAX_INT32:
            raise ChecksumError(f"word {word!r} has index {index}, expected an int32 >= 0")
        self._digest.update(key + b"\x00" + struct.pack("<I", index))
        self._digest.update(vector)
        self._last = key
        self.count += 1

    def value(self) -> str:
        """`sha256:` and 64 hex digits over the rows so far."""
        return "sha256:" + self._digest.hexdigest()


def embedding_checksum(rows: Iterable[tuple[str, int, bytes]]) -> str:
    """Checksum of (word, index, little-endian vector bytes) rows, which are read once.

    Raises:
        ChecksumError: see `EmbeddingChecksum.add`.
    """
    checksum = EmbeddingChecksum()
    for word, index, vector in rows:
        checksum.add(word, index, vector)
    return checksum.value()
