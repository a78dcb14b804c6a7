"""The OpenAPI 3.1 document of one server, from the definitions that validate its requests."""

from __future__ import annotations

from typing import Any

import msgspec

from tox_com_det import __version__
from tox_com_det.http import forms
from tox_com_det.model.manifest import Manifest
from tox_com_det.openapi import answers
from tox_com_det.openapi.google import TAG as GOOGLE_TAG
from tox_com_det.openapi.google import google_paths, google_schemas
from tox_com_det.openapi.own import TAG, error_responses, own_paths
from tox_com_det.settings import Settings

_ANSWERS = (
    forms.PredictResponse,
    answers.Error,
    answers.Problem,
    answers.PredictOne,
    answers.PredictMany,
    answers.Limits,
    answers.Live,
    answers.Ready,
    answers.Greeting,
)
_SECURITY = {
    "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
    "googleKey": {"type": "apiKey", "in": "query", "name": "key"},
    "googleHeader": {"type": "apiKey", "in": "header", "name": "x-goog-api-key"},
}


def openapi_document(settings: Settings, manifest: Manifest) -> dict[str, Any]:
    """The document of a server and its model."""
    mapping = settings.perspective.labels
    attributes = [name for name, label in mapping.items() if label in manifest.labels]
    languages = settings.perspective.languages or manifest.languages
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tox_com_det",
            "version": __version__,
            "summary": "Scores of toxic comments",
            "description": (
                f"Model {manifest.name}, version {manifest.model_version}:"
                f" scores from 0 to 1 for {', '.join(manifest.labels)}."
                " A score is a model's estimate, not a judgement."
            ),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": TAG, "description": "Errors are plain JSON, or RFC 9457's where asked for."},
            {"name": GOOGLE_TAG, "description": "As Google's, and as lenient in what it reads."},
        ],
        "paths": {
            **own_paths(settings.require_key, settings.max_chars),
            **google_paths(attributes, settings.require_key),
        },
        "components": {
            "schemas": {
                **_own_schemas(settings, manifest.labels),
                **google_schemas(attributes, languages),
            },
            "responses": error_responses(),
            "securitySchemes": _SECURITY,
        },
    }


def _own_schemas(settings: Settings, labels: tuple[str, ...]) -> dict[str, Any]:
    limits = (settings.max_texts, settings.max_chars)
    requests = (forms.predict_request(*limits), forms.predict_request(*limits, old=True))
    _, schemas = msgspec.json.schema_components(
        [*requests, *_ANSWERS], ref_template="#/components/schemas/{name}"
    )
    for schema in schemas.values():
        schema["description"] = " ".join(schema.get("description", "").split())
        if not schema.get("required", True):
            # An empty list says nothing.
            del schema["required"]
        for name in ("scores", "contributions"):
            if name in schema["properties"]:
                schema["properties"][name]["required"] = list(labels)
    return schemas
