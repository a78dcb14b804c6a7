"""Stores suggestions while the service runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import bson
from pymongo.errors import OperationFailure

from tox_com_det.settings import Settings
from tox_com_det.store.concerns import JOURNALED, MAJORITY
from tox_com_det.store.connection import Connection
from tox_com_det.store.errors import DatabaseUnavailable
from tox_com_det.suggestions.collection import (
    DATABASE,
    Client,
    collection_of,
    prepare,
    stored_bytes,
)
from tox_com_det.suggestions.document import Document

LOG = logging.getLogger("tox_com_det")

MB = 1_000_000
# Documents also end by their age, and `fab clear-suggestions` removes all of them.
_MEASURE_SECONDS = 60.0
_MEASURE_SECONDS_WHILE_FULL = 5.0
_LOG_SECONDS = 60.0
_UNKNOWN_WRITE_CONCERN = (2, 79)
# What `toxctl status` looks for in the warnings of /readyz.
_NAME = "suggestions"

T = TypeVar("T")


class SuggestionsUnavailable(Exception):
    """The database did not take a suggestion; it may be sent again."""


class SuggestionStore:
    """Adds suggestions to their collection, up to a size. Thread-safe."""

    def __init__(self, uri: str, timeout_ms: int, max_bytes: int, days: int) -> None:
        """Connects at the first use.

        Args:
            uri: of the database.
            timeout_ms: time limit of one operation.
            max_bytes: of all documents; beyond it none is stored.
            days: after which a document is removed; 0: never.
        """
        self._connection = Connection(uri, timeout_ms)
        self._max_bytes = max_bytes
        self._days = days
        self._lock = threading.Lock()
        self._prepared = False
        self._bytes = 0
        self._measured_at = float("-inf")
        self._logged_at = float("-inf")
        self._full = False
        self._refused = 1  # bytes of the last document that did not fit

    def add(self, documents: Sequence[Document]) -> int:
        """Store those documents that fit; returns how many, once they are in the journal.

        Raises:
            SuggestionsUnavailable: no reply in time, or a refusal; some may be stored.
        """
        with self._lock:
            self._refresh()
            fitting, size = self._fitting(documents)
            self._bytes += size
        if len(fitting) < len(documents):
            self._say_full()
        if fitting:
            try:
                self._call(lambda client: _insert(client, fitting))
            except SuggestionsUnavailable:
                with self._lock:
                    self._bytes -= size
                raise
        return len(fitting)

    def problem(self) -> str:
        """Why suggestions are not stored now, in one line; "" if they are.

        The collection is prepared by it, so that a changed number of days is in force from the
        start on.
        """
        try:
            with self._lock:
                self._refresh()
                full = self._full
        except SuggestionsUnavailable as error:
            return (
                f"{_NAME} are not stored: {error}; see `systemctl status mongod secantusdb`, and a"
                f" user in flask_app_mongodb_uri needs readWrite on {DATABASE}"
            )
        return self._full_words() if full else ""

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def _refresh(self) -> None:
        if not self._prepared:
            self._call(lambda client: prepare(client, self._days))
            self._prepared = True
        now = time.monotonic()
        pause = _MEASURE_SECONDS_WHILE_FULL if self._full else _MEASURE_SECONDS
        if now >= self._measured_at + pause:
            self._bytes = self._call(stored_bytes)
            self._measured_at = now
            self._full = self._bytes + self._refused > self._max_bytes

    def _fitting(self, documents: Sequence[Document]) -> tuple[list[Document], int]:
        fitting, size = [], 0
        for document in documents:
            more = len(bson.encode(document))
            if self._bytes + size + more <= self._max_bytes:
                fitting.append(document)
                size += more
            else:
                # One that is larger than all the room says nothing about what is left.
                self._full, self._refused = True, more if more <= self._max_bytes else 1
        return fitting, size

    def _say_full(self) -> None:
        with self._lock:
            now = time.monotonic()
            if now < self._logged_at + _LOG_SECONDS:
                return
            self._logged_at = now
        LOG.warning("%s", self._full_words())

    def _full_words(self) -> str:
        return (
            f"{_NAME} are acknowledged and not stored: {self._max_bytes // MB} MB of"
            " flask_app_perspective_suggestions_max_mb are used; run `fab export-suggestions`, then"
            " `fab clear-suggestions`"
        )

    def _call(self, operation: Callable[[Client], T]) -> T:
        try:
            return self._connection.call(operation)
        except DatabaseUnavailable as error:
            raise SuggestionsUnavailable(str(error)) from error


def store_of(settings: Settings) -> SuggestionStore | None:
    """The store that the settings ask for; None: suggestions are not stored."""
    wanted = settings.perspective
    if not wanted.store_suggestions:
        return None
    return SuggestionStore(
        settings.mongodb_uri,
        settings.mongodb_timeout_ms,
        wanted.suggestions_max_mb * MB,
        wanted.suggestions_days,
    )


def _insert(client: Client, documents: Sequence[Document]) -> None:
    collection = collection_of(client)
    # Copies: the driver adds an _id, and a second attempt needs another one.
    try:
        collection.with_options(write_concern=JOURNALED).insert_many([*map(dict, documents)])
    except OperationFailure as error:
        if error.code not in _UNKNOWN_WRITE_CONCERN:
            raise
        # A server without a journal refuses j before it writes.
        collection.with_options(write_concern=MAJORITY).insert_many([*map(dict, documents)])
