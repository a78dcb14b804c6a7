"""A checksum of a collection's documents that does not depend on their order."""

from __future__ import annotations

import hashlib

_MODULUS = 1 << 256


class Digest:
    """Count, bytes and checksum of BSON documents.

    The checksum is the sum of the documents' SHA-256 modulo 2^256: a dump of mongodump, one of
    PyMongo and the restored collection have the same one, each in an order of its own. It finds
    what was lost or damaged; it is no signature.
    """

    def __init__(self) -> None:
        self.count = 0
        self.bytes = 0
        self._sum = 0

    def add(self, document: bytes) -> None:
        """Add a document."""
        self.count += 1
        self.bytes += len(document)
        number = int.from_bytes(hashlib.sha256(document).digest(), "big")
        self._sum = (self._sum + number) % _MODULUS

    def content(self) -> dict[str, int | str]:
        """{"count", "bytes", "checksum"}, the checksum as 64 hex digits."""
        return {"count": self.count, "bytes": self.bytes, "checksum": f"{self._sum:064x}"}
