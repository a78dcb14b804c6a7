"""Probes: `GET /livez`, and `GET /readyz`, which checks the model and the database."""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask, Response, jsonify, request

from tox_com_det import __version__
from tox_com_det.http.errors import error_body
from tox_com_det.http.turns import Turns, client_of
from tox_com_det.keys.access import Access
from tox_com_det.model.predictor import Predictor
from tox_com_det.readiness import check_readiness
from tox_com_det.settings import Settings
from tox_com_det.store.database import EmbeddingDatabase
from tox_com_det.suggestions.store import SuggestionStore

LOG = logging.getLogger("tox_com_det")


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

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        with turns.turn(client_of(request.environ)):
            readiness = check_readiness(settings.model, predictor, database.verify)
            # Without the database both would wait for it.
            asked = suggestions if readiness.ready else None
            unstored = asked.problem() if asked is not None else ""
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
