"""HTTP of the Perspective API: its paths, CORS, and errors in Google's form."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from flask import Flask, Response, g, request

from tox_com_det.http.access import admit
from tox_com_det.http.direct import Route, raise_failed
from tox_com_det.http.request_body import read_body
from tox_com_det.http.turns import Turns
from tox_com_det.keys.access import Access
from tox_com_det.keys.presented import google_keys
from tox_com_det.model.predictor import Predictor
from tox_com_det.perspective.batch import Part, read_batch, write_batch
from tox_com_det.perspective.batch_answers import BatchAnswers
from tox_com_det.perspective.direct import ANALYZE, CONTENT_TYPE, RULE, analyze_route, cors_headers
from tox_com_det.perspective.discovery import discovery_document
from tox_com_det.perspective.errors import GoogleError
from tox_com_det.perspective.failures import as_google_error
from tox_com_det.perspective.lenient_json import unpack
from tox_com_det.perspective.paths import PathMiddleware, is_api_path
from tox_com_det.perspective.query import Format, is_pretty, query_of, read_format
from tox_com_det.perspective.service import Service, operation_of, require_method
from tox_com_det.perspective.settings import PerspectiveSettings
from tox_com_det.suggestions.store import SuggestionStore

__all__ = ["ANALYZE", "add_perspective"]

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_ALLOWED_HEADERS = "authorization, content-encoding, content-type, x-goog-api-key"
_PREFLIGHT_SECONDS = 3600


def add_perspective(
    app: Flask,
    settings: PerspectiveSettings,
    predictor: Predictor,
    turns: Turns,
    access: Access,
    max_body_bytes: int,
    max_unknown_words: int,
    suggestions: SuggestionStore | None,
    headers: Mapping[str, str],
) -> Route:
    """Add the API's routes to an app; for the limits and `suggestions` see `Service`.

    Returns the direct route of `ANALYZE`, whose responses have `headers`.
    """
    service = Service(settings, predictor, max_body_bytes, max_unknown_words, suggestions)
    views = _Views(
        service,
        turns,
        access,
        settings.origins,
        max_body_bytes,
    )
    app.wsgi_app = PathMiddleware(app.wsgi_app)  # type: ignore[assignment,method-assign]  # Flask's way

    @app.after_request
    def in_googles_form(response: Response) -> Response:
        """What never reached a view, such as a method that nobody knows."""
        if response.status_code < 400 or g.get("is_perspective") or not is_api_path(request.path):
            return response
        status = response.status_code
        message = f"The request is refused: {HTTPStatus(status).phrase}"
        allowed = {"Allow": _allowed(request.path)} if status == 405 else {}
        return views.error(GoogleError(status, message, headers=allowed))

    for path in ("/v1alpha1", RULE, "/$discovery/<path:_>"):
        app.add_url_rule(path, "perspective", views.single, methods=_METHODS)
    for path in ("/batch", "/batch/<path:_>"):
        app.add_url_rule(path, "perspective_batch", views.batch, methods=_METHODS)
    return analyze_route(service, settings.origins, headers)


class _Views:
    def __init__(
        self,
        service: Service,
        turns: Turns,
        access: Access,
        origins: tuple[str, ...],
        max_body_bytes: int,
    ) -> None:
        self._service = service
        self._turns = turns
        self._access = access
        self._origins = origins
        self._max_body_bytes = max_body_bytes
        changed = Path(__file__).stat().st_mtime
        self._revision = datetime.fromtimestamp(changed, UTC).strftime("%Y%m%d")

    def single(self, _: str = "") -> Response:
        """Any request but a batch."""
        if request.method == "OPTIONS":
            return self._preflight()
        try:
            wanted = read_format(request.args)
            body = self._answer(wanted)
        except Exception as error:
            return self.error(as_google_error(error))
        return self._response(200, body)

    def batch(self, _: str = "") -> Response:
        """Many requests in one."""
        if request.method == "OPTIONS":
            return self._preflight()
        try:
            require_method(request.method, "POST")
            own = _keys()
            client = self._access.client_of(request.environ, own)
            with self._turns.turn(client.name):
                body = unpack(read_body(request), _encoding(), self._max_body_bytes)
                content_type = request.headers.get("Content-Type", "")
                parts = read_batch(content_type, body, self._turns.rest)
            # Google's clients send the key in the parts only.
            everyones = [*own, *(key for part in parts[:1] for key in _keys_of(part))]
            client = self._access.client_of(request.environ, everyones)

            def admit_part(part: Part) -> None:
                admit(self._access, [*own, *_keys_of(part)])

            content_type, body = write_batch(
                BatchAnswers(
                    self._service,
                    parts,
                    lambda: self._turns.turn(client.name),
                    self._turns.rest,
                ).all(admit_part)
            )
        except Exception as error:
            return self.error(as_google_error(error))
        return self._response(200, body, content_type)

    def _answer(self, wanted: Format) -> bytes:
        raise_failed()
        path = request.path.lstrip("/")
        if path == "$discovery/rest":
            require_method(request.method, "GET", "HEAD")
            return wanted.dump(discovery_document(request.url_root, self._revision))
        operation = operation_of(path, request.method)
        client = admit(self._access, _keys())
        with self._turns.turn(client.name):
            # Inside: bodies that wait stay in nginx and not in this process's memory.
            answer = self._service.answer(operation, read_body(request), _encoding())
            return wanted.dump(answer)

    def _response(self, status: int, body: bytes, content_type: str = CONTENT_TYPE) -> Response:
        response = Response(body, status, content_type=content_type)
        response.headers.extend(cors_headers(self._origins, request.headers.get("Origin", "")))
        return response

    def error(self, error: GoogleError) -> Response:
        """An error in Google's form."""
        g.is_perspective = True
        body = Format(None, is_pretty(request.args)).dump_error(error)
        response = self._response(error.code, body)
        response.headers.update(error.headers)
        return response

    def _preflight(self) -> Response:
        response = self._response(204, b"")
        del response.headers["Content-Type"]
        response.headers["Access-Control-Allow-Methods"] = "GET, POST"
        response.headers["Access-Control-Allow-Headers"] = _ALLOWED_HEADERS
        response.headers["Access-Control-Max-Age"] = str(_PREFLIGHT_SECONDS)
        return response


def _allowed(path: str) -> str:
    return "GET, HEAD" if path.startswith("/$") else "POST"


def _keys() -> list[str]:
    return google_keys(request.args, lambda name: request.headers.get(name, ""))


def _keys_of(part: Part) -> list[str]:
    return google_keys(query_of(part.target.partition("?")[2]), part.header)


def _encoding() -> str:
    return request.headers.get("Content-Encoding", "")
