"""A connection to MongoDB that is made at its first use, and fails fast while there is none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.uri_parser import parse_uri

from tox_com_det.store.errors import DatabaseUnavailable

_POOL_SIZE = 4
_RETRY_SECONDS = 0.5
_DEFAULT_PORT = 27017

T = TypeVar("T")


def shown_uri(uri: str) -> str:
    """Host and port of a MongoDB URI, without user and password."""
    try:
        nodes = parse_uri(uri)["nodelist"]
    except (ValueError, PyMongoError):
        return "the given address"
    return ",".join(f"{host}:{port or _DEFAULT_PORT}" for host, port in nodes)


def connect(uri: str, timeout_ms: int) -> MongoClient[dict[str, Any]]:
    """A client with a small pool; nothing is sent before its first use.

    `timeoutMS` limits an operation as a whole, including retries and server selection.
    """
    return MongoClient(
        uri,
        appname="tox_com_det",
        maxPoolSize=_POOL_SIZE,
        timeoutMS=timeout_ms,
        serverSelectionTimeoutMS=timeout_ms,
        connectTimeoutMS=timeout_ms,
        waitQueueTimeoutMS=timeout_ms,
    )


class Connection:
    """Sends operations with a time limit. Safe to use from several threads.

    The client is created on first use, after uWSGI's fork, because a client does not survive one.
    """

    def __init__(self, uri: str, timeout_ms: int) -> None:
        self._uri = uri
        self._timeout_ms = timeout_ms
        self._lock = threading.Lock()
        self._client: MongoClient[dict[str, Any]] | None = None
        self._retry_at = 0.0

    def call(self, operation: Callable[[MongoClient[dict[str, Any]]], T]) -> T:
        """What an operation returns.

        Raises:
            DatabaseUnavailable: no reply in time, or a refusal; nothing of the operation's content
                is in its words.
        """
        # While the database is down, every request would hold a thread for the whole timeout, and
        # two of them block /livez: shortly after a failure, operations fail without trying.
        if time.monotonic() < self._retry_at:
            raise DatabaseUnavailable(f"MongoDB at {shown_uri(self._uri)} does not answer")
        try:
            with self._lock:
                if self._client is None:
                    self._client = connect(self._uri, self._timeout_ms)
                client = self._client
            return operation(client)
        except PyMongoError as error:
            self._retry_at = time.monotonic() + _RETRY_SECONDS
            what = "does not answer"
            if isinstance(error, OperationFailure) and not error.timeout:
                reason = str((error.details or {}).get("errmsg", error.code))
                # From the brace on it is the command, which has the words of a comment.
                what = f"refused: {reason.partition('{')[0].strip()}"
            raise DatabaseUnavailable(f"MongoDB at {shown_uri(self._uri)} {what}") from error

    def close(self) -> None:
        """Close the client's connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client = None
