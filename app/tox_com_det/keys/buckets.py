"""Where token buckets are kept: in this process, or in a file that all workers of a slot share."""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import struct
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

__all__ = ["Bucket", "Buckets", "OwnBuckets", "SharedBuckets"]

# Its tokens, and when they were counted, in seconds of a clock that all workers have.
Bucket = tuple[float, float]
# From the bucket as it was, or None, to the bucket as it is.
Change = Callable[[Bucket | None], Bucket]

MOST_BUCKETS = 10_000


class Buckets(Protocol):
    """Buckets by name. Those that were not used for the longest time may be forgotten."""

    def change(self, name: str, change: Change) -> Bucket:
        """Replace a bucket; nothing else happens to it in between."""


class OwnBuckets:
    """Buckets of one process. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # The one that was not used for the longest time comes first.
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def change(self, name: str, change: Change) -> Bucket:
        """See `Buckets.change`."""
        with self._lock:
            bucket = self._buckets[name] = change(self._buckets.get(name))
            self._buckets.move_to_end(name)
            if len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)
        return bucket


class SharedBuckets:
    """Buckets in a file of a fixed size. Safe to use from several processes and threads.

    A name is found by its digest: at its place, or at one of the next `PROBES - 1`. If none of them
    is free, the one that was not used for the longest time is forgotten.
    """

    PLACE = struct.Struct("16sdd")
    PLACES = 16_384
    PROBES = 8
    FREE = bytes(16)

    def __init__(self, path: Path) -> None:
        """`path`: of the file, which is created if it is missing."""
        self._lock = threading.Lock()
        size = self.PLACES * self.PLACE.size
        # Open as long as the process lives.
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        os.ftruncate(self._file, size)
        self._map = mmap.mmap(self._file, size)

    def change(self, name: str, change: Change) -> Bucket:
        """See `Buckets.change`."""
        digest = hashlib.blake2b(name.encode(), digest_size=16).digest()
        with self._lock:
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            try:
                place, before = self._find(digest)
                bucket = change(before)
                self.PLACE.pack_into(self._map, place, digest, *bucket)
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)
        return bucket

    def _find(self, digest: bytes) -> tuple[int, Bucket | None]:
        """The place for a name, and its bucket if it is there."""
        first = int.from_bytes(digest[:4], "little")
        places = [
            (number % self.PLACES) * self.PLACE.size for number in range(first, first + self.PROBES)
        ]
        used = []
        for place in places:
            found, tokens, when = self.PLACE.unpack_from(self._map, place)
            if found == digest:
                return place, (tokens, when)
            if found == self.FREE:
                return place, None
            used.append((when, place))
        return min(used)[1], None
