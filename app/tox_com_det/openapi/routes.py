"""`GET /openapi.json` and `GET /docs`: made at the first request, and kept."""

from __future__ import annotations

from functools import cache

import msgspec
from flask import Flask, Response

from tox_com_det.http.body import MEDIA_TYPE
from tox_com_det.http.static_page import STYLE, STYLE_SOURCE
from tox_com_det.model.manifest import Manifest
from tox_com_det.settings import Settings

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    f" style-src {STYLE_SOURCE}"
)


def add_openapi(app: Flask, settings: Settings, manifest: Manifest) -> None:
    """Add both routes to an app."""

    @cache
    def document() -> bytes:
        # Here, as most slots are never asked for it.
        from tox_com_det.openapi.document import openapi_document

        return msgspec.json.encode(openapi_document(settings, manifest))

    @cache
    def page() -> bytes:
        from tox_com_det.openapi.document import openapi_document
        from tox_com_det.openapi.page import render_docs

        return render_docs(openapi_document(settings, manifest), STYLE).encode()

    @app.get("/openapi.json")
    def openapi() -> Response:
        return Response(document(), mimetype=MEDIA_TYPE)

    @app.get("/docs")
    def docs() -> Response:
        response = Response(page(), mimetype="text/html")
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return response
