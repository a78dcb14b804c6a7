"""Which response each exception gets. Perspective's addresses have their own (`failures`)."""

from __future__ import annotations

import logging

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from tox_com_det.http.error_log import describe
from tox_com_det.http.errors import ApiError, code_of, error_response
from tox_com_det.http.turns import Busy
from tox_com_det.model.explain import TooManyWordsToExplain
from tox_com_det.model.usable_words import TooManyUnknownWords
from tox_com_det.store.errors import DatabaseUnavailable, EmbeddingNotReady

LOG = logging.getLogger("tox_com_det")


def add_error_handlers(app: Flask) -> None:
    """Add them to an app; those of keys are in `http.access`."""
    app.register_error_handler(ApiError, error_response)

    @app.errorhandler(DatabaseUnavailable)
    def database_unavailable(error: DatabaseUnavailable) -> Response:
        LOG.warning("%s", error)
        return _retry("database_unavailable", "the word vectors are unavailable: retry in a second")

    @app.errorhandler(EmbeddingNotReady)
    def not_ready(error: EmbeddingNotReady) -> Response:
        LOG.error("%s", error)
        return error_response(ApiError(503, "not_ready", str(error)))

    @app.errorhandler(Busy)
    def busy(error: Busy) -> Response:
        words = "too many requests wait already: retry in a second, with fewer at once"
        return _retry("busy", words)

    @app.errorhandler(TooManyUnknownWords)
    def too_many_unknown_words(error: TooManyUnknownWords) -> Response:
        message = (
            f"the request has more than {error.limit} different words that the model does not"
            " know: send fewer or shorter texts"
        )
        return error_response(ApiError(413, "too_many_unknown_words", message))

    @app.errorhandler(TooManyWordsToExplain)
    def too_many_words_to_explain(error: TooManyWordsToExplain) -> Response:
        message = (
            f"explaining these texts takes more than {error.limit} runs of the model, about one for"
            " each different word: send fewer or shorter texts, or leave out explain"
        )
        return error_response(ApiError(413, "too_many_words_to_explain", message))

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        status = error.code or 500
        response = error_response(ApiError(status, code_of(status), _http_message(status, error)))
        for name, value in error.get_headers():
            if name == "Allow":
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def internal(error: Exception) -> Response:
        LOG.error("%s %s failed: %s", request.method, request.path, describe(error))
        return error_response(ApiError(500, "internal", "internal error: see the server's log"))


def _retry(code: str, message: str) -> Response:
    response = error_response(ApiError(503, code, message))
    response.headers["Retry-After"] = "1"
    return response


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
