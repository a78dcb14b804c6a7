"""Probes: `GET /livez`, and `GET /readyz`, which checks the model and the database.

The check reads the head again and scores every golden output. Deploys and this server's own
programs get one of their own; all others share one, at most once a second.
"""

from __future__ import annotations

import ipaddress
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from flask import Flask, Response, jsonify, request

from tox_com_det import __version__
from tox_com_det.http.errors import error_body
from tox_com_det.http.turns import PROBE, WAIT_SECONDS, Busy, Turns, client_of
from tox_com_det.keys.access import Access
from tox_com_det.model.predictor import Predictor
from tox_com_det.readiness import Readiness, check_readiness
from tox_com_det.settings import Settings
from tox_com_det.store.database import EmbeddingDatabase
from tox_com_det.suggestions.store import SuggestionStore

LOG = logging.getLogger("tox_com_det")
SHARED_SECONDS = 1.0
MOST_WAITING = 32
# In place of an address: whoever asked, the shared check waits for no requests of that client.
EVERYBODY = "readyz"
_LOOPBACK_IPV6 = client_of({"REMOTE_ADDR": "::1"})
Value = TypeVar("Value")


class Shared(Generic[Value]):
    """The last result of a check, for a while; who asks while it is checked waits. Thread-safe."""

    def __init__(self, check: Callable[[], Value], seconds: float = SHARED_SECONDS) -> None:
        self._check = check
        self._seconds = seconds
        self._lock = threading.Lock()
        # The service's threads are for requests as well.
        self._places = threading.BoundedSemaphore(MOST_WAITING)
        self._last: tuple[float, Value] | None = None

    def get(self) -> Value:
        """A result that is at most so many seconds old.

        Raises:
            Busy: a check is under way and does not end, or many wait for it already.
        """
        if not self._places.acquire(blocking=False):
            raise Busy
        try:
            return self._wait()
        finally:
            self._places.release()

    def _wait(self) -> Value:
        if not self._lock.acquire(timeout=WAIT_SECONDS):
            raise Busy
        try:
            if self._last is None or time.monotonic() - self._last[0] >= self._seconds:
                value = self._check()
                self._last = time.monotonic(), value
            return self._last[1]
        finally:
            self._lock.release()


def is_own(client: str) -> bool:
    """Whether a client (`client_of`) is a deploy or a program of this server."""
    try:
        return client in (PROBE, _LOOPBACK_IPV6) or ipaddress.ip_network(client).is_loopback
    except ValueError:
        return False


def add_probes(
    app: Flask,
    settings: Settings,
    predictor: Predictor,
    database: EmbeddingDatabase,
    turns: Turns,
    access: Access,
    suggestions: SuggestionStore | None,
) -> None:
    """Add both routes to an app."""

    @app.get("/livez")
    def livez() -> Response:
        return jsonify({"status": "live", "slot": settings.slot})

    def check() -> tuple[Readiness, str]:
        """Readiness, and a problem with suggestions."""
        readiness = check_readiness(settings.model, predictor, database.verify)
        # Without the database both would wait for it.
        asked = suggestions if readiness.ready else None
        return readiness, asked.problem() if asked is not None else ""

    def check_in_turn(client: str) -> tuple[Readiness, str]:
        with turns.turn(client):
            return check()

    shared = Shared(lambda: check_in_turn(EVERYBODY))

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        client = client_of(request.environ)
        readiness, unstored = check_in_turn(client) if is_own(client) else shared.get()
        body: dict[str, Any] = {
            "status": "ready" if readiness.ready else "not ready",
            "model": predictor.manifest.model_version,
            "checks": readiness.checks,
            "app": __version__,
        }
        warnings = [one for one in (access.problem, unstored) if one]
        if warnings:
            # No reason to take a slot down, or to stop a deploy.
            body["warnings"] = warnings
        if readiness.ready:
            return jsonify(body), 200
        LOG.warning("not ready: %s", readiness.problem)
        body.update(error_body(503, "not_ready", readiness.problem))
        return jsonify(body), 503
