"""Routes, error handlers and headers of the HTTP API."""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from tox_com_det.http.access import add_access, admit
from tox_com_det.http.body import parse_predict
from tox_com_det.http.error_log import describe
from tox_com_det.http.errors import ApiError, error_body
from tox_com_det.http.limits import limits
from tox_com_det.http.page import CONTENT_SECURITY_POLICY, TEMPLATES, render_page
from tox_com_det.http.probes import add_probes
from tox_com_det.http.request_body import BodyMiddleware, read_body
from tox_com_det.http.turns import Busy, Turns
from tox_com_det.keys.access import Access
from tox_com_det.keys.presented import own_keys
from tox_com_det.model.bundle import read_head, read_manifest
from tox_com_det.model.head import Head
from tox_com_det.model.predictor import Prediction, Predictor
from tox_com_det.model.usable_words import TooManyUnknownWords
from tox_com_det.perspective.routes import add_perspective
from tox_com_det.settings import Settings
from tox_com_det.store.database import EmbeddingDatabase
from tox_com_det.store.errors import DatabaseUnavailable, EmbeddingNotReady
from tox_com_det.store.vectors import Vectors
from tox_com_det.suggestions.store import SuggestionStore, store_of

LOG = logging.getLogger("tox_com_det")

_CODES = {
    400: "bad_json",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
}


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
    head = Head(read_head(settings.model, manifest), manifest)
    if database is None:
        database = EmbeddingDatabase(
            settings.mongodb_uri, settings.mongodb_timeout_ms, manifest.embedding
        )
    vectors = Vectors(database, manifest.tokenizer, settings.cache_words)
    turns = Turns(settings.threads)
    predictor = Predictor(manifest, head, vectors, turns.rest)

    app = Flask("tox_com_det", static_folder=None, template_folder=TEMPLATES)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # scores in the order of the labels
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.wsgi_app = BodyMiddleware(app.wsgi_app)  # type: ignore[assignment,method-assign]  # Flask's way
    _add_errors(app)
    _add_headers(app, settings, manifest.model_version)
    access = add_access(app, settings)
    _add_predict(app, settings, predictor, turns, access)
    if suggestions is None:
        suggestions = store_of(settings)
    add_probes(app, settings, predictor, database, turns, access, suggestions)
    _add_pages(app, settings, predictor)
    add_perspective(
        app,
        settings.perspective,
        predictor,
        turns,
        access,
        settings.max_body_bytes,
        settings.max_unknown_words,
        suggestions,
    )
    return app


def _add_predict(
    app: Flask, settings: Settings, predictor: Predictor, turns: Turns, access: Access
) -> None:
    labels = predictor.manifest.labels

    def result(prediction: Prediction) -> dict[str, Any]:
        words = {
            "known": prediction.known,
            "unknown": prediction.unknown,
            "used": prediction.used,
        }
        if prediction.cut:
            words["cut"] = prediction.cut
        return {"scores": dict(zip(labels, prediction.scores, strict=True)), "words": words}

    @app.post("/predict")
    def predict() -> Response:
        client = admit(access, own_keys(lambda name: request.headers.get(name, "")))
        with turns.turn(client.name):
            # Inside: bodies that wait stay in nginx and not in this process's memory.
            body = parse_predict(
                read_body(request),
                request.mimetype,
                request.mimetype_params.get("charset"),
                settings.max_texts,
                settings.max_chars,
            )
            predictions = predictor.predict(body.texts, settings.max_unknown_words)
        results = [result(prediction) for prediction in predictions]
        model = {"model": predictor.manifest.model_version}
        return jsonify({**model, **results[0]} if body.single else {**model, "results": results})


def _add_pages(app: Flask, settings: Settings, predictor: Predictor) -> None:
    manifest = predictor.manifest

    @app.get("/")
    def index() -> Response:
        html = render_page(
            request.url_root,
            manifest.model_version,
            manifest.name,
            manifest.labels,
            limits(settings, request.environ),
        )
        response = Response(html, mimetype="text/html")
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return response

    @app.get("/limits")
    def show_limits() -> Response:
        return jsonify(limits(settings, request.environ))

    @app.get("/test")
    def test() -> Response:
        return jsonify({"hello": "there"})

    @app.get("/load-model")
    def load_model() -> Response:
        return jsonify(manifest.architecture)


def _add_errors(app: Flask) -> None:
    def respond(status: int, code: str, message: str) -> Response:
        response = jsonify(error_body(status, code, message))
        response.status_code = status
        return response

    @app.errorhandler(ApiError)
    def api_error(error: ApiError) -> Response:
        return respond(error.status, error.code, error.message)

    @app.errorhandler(DatabaseUnavailable)
    def database_unavailable(error: DatabaseUnavailable) -> Response:
        LOG.warning("%s", error)
        response = respond(
            503, "database_unavailable", "the word vectors are unavailable: retry in a second"
        )
        response.headers["Retry-After"] = "1"
        return response

    @app.errorhandler(EmbeddingNotReady)
    def not_ready(error: EmbeddingNotReady) -> Response:
        LOG.error("%s", error)
        return respond(503, "not_ready", str(error))

    @app.errorhandler(Busy)
    def busy(error: Busy) -> Response:
        response = respond(
            503, "busy", "too many requests wait already: retry in a second, with fewer at once"
        )
        response.headers["Retry-After"] = "1"
        return response

    @app.errorhandler(TooManyUnknownWords)
    def too_many_unknown_words(error: TooManyUnknownWords) -> Response:
        return respond(
            413,
            "too_many_unknown_words",
            f"the request has more than {error.limit} different words that the model does not"
            " know: send fewer or shorter texts",
        )

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        status = error.code or 500
        code = _CODES.get(status, "bad_json" if status < 500 else "internal")
        response = respond(status, code, _http_message(status, error))
        for name, value in error.get_headers():
            if name == "Allow":
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def internal(error: Exception) -> Response:
        LOG.error("%s %s failed: %s", request.method, request.path, describe(error))
        return respond(500, "internal", "internal error: see the server's log")


def _http_message(status: int, error: HTTPException) -> str:
    if status == 404:
        return "not found: see GET / for the available paths"
    if status == 405:
        methods = set(getattr(error, "valid_methods", None) or ())
        allowed = ", ".join(sorted(methods - {"HEAD", "OPTIONS"}))
        return f"method not allowed; use {allowed}"
    if status == 413:
        return f"the body is larger than {request.max_content_length} bytes"
    # werkzeug's own descriptions speak to the person at a browser.
    return f"the request cannot be answered: {error.name.lower()}"


def _add_headers(app: Flask, settings: Settings, model_version: str) -> None:
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
