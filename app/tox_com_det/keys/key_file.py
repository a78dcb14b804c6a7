"""keys.json: the keys' hashes, which `toxctl keys` writes and every request may need.

A key is random, of 190 bits, so a plain SHA-256 protects it: unlike passwords, there are no likely
keys to try first, and a slow hash would only slow down every request.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

LOG = logging.getLogger("tox_com_det")

_VERSION = 1
_MOST_BYTES = 16 * 1024 * 1024
# Of a file's state: when it changed, its inode, its size.
_Signature = tuple[int, int, int]


@dataclass(frozen=True)
class Key:
    """One key.

    Attributes:
        id: stable identifier; no secret.
        digest: SHA-256 of the key.
        requests_per_second: its limit; None: none of its own.
        ends: seconds since the epoch from which on it is refused; None: never.
    """

    id: str
    digest: bytes
    requests_per_second: int | None = None
    ends: float | None = None


class KeyFileError(ValueError):
    """The content of keys.json is not what `toxctl keys` writes. Without a word of it."""


class KeyFile:
    """The keys of a file, read again whenever it has changed. Safe to use from several threads.

    A file that cannot be read or parsed leaves the last keys in force. No file: no keys.
    """

    def __init__(self, path: Path | None) -> None:
        """`path`: of keys.json, which need not exist; None: there are no keys."""
        self._path = path
        self._lock = threading.Lock()
        self._seen: _Signature | str | None = None
        self._keys: tuple[Key, ...] = ()
        self._problem = ""

    @property
    def problem(self) -> str:
        """Why the file as it is now cannot be used, with the next command; "" if it can."""
        self._refresh()
        return self._problem

    def find(self, presented: Iterable[str]) -> Key | None:
        """The valid key among those that a request has, or None.

        Takes as long for a wrong key as for a right one.
        """
        self._refresh()
        keys, now = self._keys, time.time()
        found: Key | None = None
        for text in presented:
            digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
            for key in keys:
                is_same = hmac.compare_digest(key.digest, digest)
                if is_same and (key.ends is None or now < key.ends):
                    found = key
        return found

    def _refresh(self) -> None:
        if self._path is None:
            return
        state = _state(self._path)
        if state == self._seen:
            return
        with self._lock:
            if state == self._seen:
                return
            try:
                if isinstance(state, str):
                    raise KeyFileError(state)
                self._keys = () if state is None else read_keys(self._path)
                self._problem = ""
            except (OSError, KeyFileError) as error:
                reason = error.strerror if isinstance(error, OSError) else error
                self._problem = (
                    f"{self._path} cannot be used ({reason}), the keys before it stay in force:"
                    " run `fab list-keys`"
                )
                LOG.error("%s", self._problem)
            self._seen = state


def _state(path: Path) -> _Signature | str | None:
    """What changes with the file; None: there is none; a text: why that is not known."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        return error.strerror or type(error).__name__
    return found.st_mtime_ns, found.st_ino, found.st_size


def read_keys(path: Path) -> tuple[Key, ...]:
    """The keys of a file.

    Raises:
        OSError: it cannot be read.
        KeyFileError: it is damaged, or of a version that is not known.
    """
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES)
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        raise KeyFileError("it is not JSON") from None
    if not isinstance(data, dict) or data.get("version") != _VERSION:
        raise KeyFileError(f"it is not of version {_VERSION}")
    keys = data.get("keys")
    if not isinstance(keys, list):
        raise KeyFileError("it has no list of keys")
    return tuple(_key(number, entry) for number, entry in enumerate(keys, 1))


def _key(number: int, entry: Any) -> Key:
    try:
        rate = entry["requests_per_second"]
        if rate is not None and (type(rate) is not int or rate < 1):
            raise ValueError
        digest = bytes.fromhex(entry["sha256"])
        if len(digest) != hashlib.sha256().digest_size or not isinstance(entry["id"], str):
            raise ValueError
        return Key(entry["id"], digest, rate, _end(entry["ends"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        raise KeyFileError(f"its key number {number} is damaged") from None


def _end(day: str | None) -> float | None:
    """The end of a day (ISO 8601, UTC) in seconds since the epoch."""
    if day is None:
        return None
    after = date.fromisoformat(day) + timedelta(days=1)
    return datetime(after.year, after.month, after.day, tzinfo=UTC).timestamp()
