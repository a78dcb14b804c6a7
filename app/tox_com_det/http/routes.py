"""Routes, error handlers and headers of the HTTP API."""

from __future__ import annotations

from flask import Flask, Response, jsonify, request

from tox_com_det.http.access import add_access
from tox_com_det.http.direct import DirectMiddleware
from tox_com_det.http.error_handlers import add_error_handlers
from tox_com_det.http.limits import limits
from tox_com_det.http.metrics import add_metrics
from tox_com_det.http.page import add_page
from tox_com_det.http.predict import PATH as PREDICT
from tox_com_det.http.predict import PredictAnswers, add_predict
from tox_com_det.http.probes import add_probes
from tox_com_det.http.request_body import BodyMiddleware
from tox_com_det.http.static_page import TEMPLATES
from tox_com_det.http.turns import RUNNING, Turns
from tox_com_det.http.v1 import add_v1
from tox_com_det.metrics.definitions import Metrics
from tox_com_det.metrics.measured import MeasuredHead, MeasuredPredictor, MeasuredVectors
from tox_com_det.model.bundle import read_head, read_manifest
from tox_com_det.model.predictor import Predictor
from tox_com_det.model.workers import Workers
from tox_com_det.openapi.routes import add_openapi
from tox_com_det.perspective.routes import ANALYZE, add_perspective
from tox_com_det.settings import Settings
from tox_com_det.store.database import EmbeddingDatabase
from tox_com_det.suggestions.store import SuggestionStore, store_of


def create_app(
    settings: Settings,
    database: EmbeddingDatabase | None = None,
    suggestions: SuggestionStore | None = None,
) -> Flask:
    """The WSGI app for the model that `settings` names.

    The database is not contacted here, so the app starts without it.

    Args:
        settings: see `Settings`.
        database: source of the vectors; None: made from the settings.
        suggestions: where suggested scores are stored; None: as the settings say.

    Raises:
        ManifestError, BundleError, HeadError: the model cannot be served.
    """
    manifest = read_manifest(settings.model)
    metrics = Metrics(manifest.labels, is_shared=settings.shared_directory is not None)
    # One for each request that runs, and two for checks of a deploy, which never wait.
    workers = Workers(RUNNING + 2)
    head = MeasuredHead(read_head(settings.model, manifest), manifest, workers.run)
    if database is None:
        database = EmbeddingDatabase(
            settings.mongodb_uri, settings.mongodb_timeout_ms, manifest.embedding
        )
    vectors = MeasuredVectors(database, manifest.tokenizer, settings.cache_words)
    turns = Turns(settings.threads, clock=workers.thread_time)
    predictor = MeasuredPredictor(manifest, head, vectors, turns.rest, metrics)

    app = Flask("tox_com_det", static_folder=None, template_folder=TEMPLATES)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # scores in the order of the labels
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.wsgi_app = BodyMiddleware(app.wsgi_app)  # type: ignore[assignment,method-assign]  # Flask's way
    add_error_handlers(app)
    headers = _add_headers(app, settings, manifest.model_version)
    count = add_metrics(app, metrics, settings, manifest, vectors, turns)
    access = add_access(app, settings)
    answers = PredictAnswers(settings, predictor)
    direct = {PREDICT: add_predict(app, answers, turns, access, workers, headers)}
    add_v1(app, settings, predictor, turns, access)
    if suggestions is None:
        suggestions = store_of(settings)
    add_probes(app, settings, predictor, database, turns, access, suggestions)
    add_page(app, settings, predictor, turns, access)
    _add_pages(app, settings, predictor)
    add_openapi(app, settings, manifest)
    direct[ANALYZE] = add_perspective(
        app,
        settings.perspective,
        predictor,
        turns,
        access,
        settings.max_body_bytes,
        settings.max_unknown_words,
        suggestions,
        headers,
    )
    # The outermost, so that nothing else runs for a plain request.
    app.wsgi_app = DirectMiddleware(  # type: ignore[assignment,method-assign]  # Flask's way
        app.wsgi_app, direct, access, turns, workers, settings.max_body_bytes, count
    )
    return app


def _add_pages(app: Flask, settings: Settings, predictor: Predictor) -> None:
    manifest = predictor.manifest

    @app.get("/limits")
    def show_limits() -> Response:
        return jsonify(limits(settings, request.environ))

    @app.get("/test")
    def test() -> Response:
        return jsonify({"hello": "there"})

    @app.get("/load-model")
    def load_model() -> Response:
        return jsonify(manifest.architecture)


def _add_headers(app: Flask, settings: Settings, model_version: str) -> dict[str, str]:
    """Add headers to every response; returns them."""
    headers = {
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "X-Tox-Com-Det-Model": model_version,
        "X-Tox-Com-Det-Slot": settings.slot,
    }

    @app.after_request
    def add(response: Response) -> Response:
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        return response

    return headers
