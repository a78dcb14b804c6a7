"""The operations of the service's own API in the document."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from tox_com_det.http.body import MEDIA_TYPE as JSON
from tox_com_det.http.errors import PROBLEM
from tox_com_det.http.forms import NOT_BLANK
from tox_com_det.http.page_content import EXAMPLE_NUMBERS
from tox_com_det.http.v1 import MOST_EXPLAINED
from tox_com_det.openapi.parts import Part, body, content, operation, schema_of

TAG = "Own API"
HTML = "text/html"
# Statuses of errors of requests without and with a body.
_ALWAYS = (429, 500)
_OF_BODIES = (400, 411, 413, 415, 429, 500, 503)
_EXAMPLE = "You are an idiot and nobody likes you."
_EITHER = [{"required": ["text"]}, {"required": ["texts"]}]


def error_responses() -> Part:
    """Responses of errors by status, for the document's components."""
    return {
        str(status): {
            "description": HTTPStatus(status).phrase,
            "content": {
                JSON: {"schema": schema_of("Error")},
                PROBLEM: {"schema": schema_of("Problem")},
            },
        }
        for status in sorted({401, 403, 422, *_OF_BODIES})
    }


def own_paths(requires_key: bool, max_chars: int) -> Part:
    """The paths.

    Args:
        requires_key: whether a request without a key is refused.
        max_chars: characters of a text.
    """
    optional: list[Part] = [] if requires_key else [{}]
    security = [{"key": []}, {"bearer": []}, *optional]
    refused = [*_OF_BODIES, *([401] if requires_key else [])]
    predict = operation(
        TAG,
        "predict",
        "Score one or many texts",
        content(schema_of("PredictResponse"), "The scores."),
        [*refused, 422],
        description=(
            "With `explain`, each result says what every word contributes. It costs one run of the"
            f" model for each different word, of which a request may take {MOST_EXPLAINED}."
        ),
        security=security,
        requestBody=body(
            {"allOf": [schema_of("PredictRequest"), {"oneOf": _EITHER}]},
            {"text": _EXAMPLE, "explain": True},
        ),
    )
    old = operation(
        TAG,
        "predictOld",
        "Score one or many texts, in the form of before /v1",
        content({"anyOf": [schema_of("PredictOne"), schema_of("PredictMany")]}, "The scores."),
        refused,
        description="`text` gets its scores, `texts` a list of results.",
        security=security,
        requestBody=body(
            {"allOf": [schema_of("OldPredictRequest"), {"oneOf": _EITHER}]}, {"text": _EXAMPLE}
        ),
    )
    paths = _without_body()
    paths["/"]["post"] = _page(refused, max_chars)
    return {"/v1/predict": {"post": predict}, "/predict": {"post": old}, **paths}


def _page(refused: Iterable[int], max_chars: int) -> Part:
    form = {
        "type": "object",
        "anyOf": [
            {"required": ["text"], "properties": {"text": {"pattern": NOT_BLANK}}},
            {"required": ["example"]},
        ],
        "properties": {
            "text": {"type": "string", "maxLength": max_chars},
            "key": {"type": "string"},
            "example": {"enum": list(EXAMPLE_NUMBERS)},
        },
        "additionalProperties": False,
    }
    page = content({"type": "string"}, "The page.", HTML)
    return operation(
        TAG,
        "score",
        "The page with the scores of a comment, for a form",
        page,
        {
            str(status): {**page, "description": "The page says what is wrong."}
            for status in refused
        },
        requestBody=body(form, {"text": _EXAMPLE}, "application/x-www-form-urlencoded"),
    )


def _without_body() -> Part:
    paths: Part = {}
    for path, name, schema, summary in (
        ("/limits", "limits", schema_of("Limits"), "What a request may hold"),
        ("/livez", "livez", schema_of("Live"), "Whether the process is alive"),
        ("/test", "greeting", schema_of("Greeting"), "The article's greeting"),
        ("/load-model", "architecture", {"type": "object"}, "The network as Keras describes it"),
        ("/openapi.json", "document", {"type": "object"}, "This document"),
    ):
        paths[path] = {"get": operation(TAG, name, summary, content(schema, "Done."), _ALWAYS)}
    for path, name, summary, media_type, errors in (
        ("/", "page", "A page to try comments", HTML, _ALWAYS),
        ("/docs", "docs", "This document as a page", HTML, _ALWAYS),
        ("/metrics", "metrics", "Measurements for Prometheus", "text/plain", (*_ALWAYS, 403)),
    ):
        text = content({"type": "string"}, "Done.", media_type)
        paths[path] = {"get": operation(TAG, name, summary, text, errors)}
    ready = operation(
        TAG,
        "readyz",
        "Whether predictions are possible",
        content(schema_of("Ready"), "They are."),
        [*_ALWAYS],
    )
    not_ready = {"anyOf": [schema_of("Ready"), schema_of("Error")]}
    ready["responses"]["503"] = content(not_ready, "They are not, or too many requests wait.")
    ready["responses"]["503"]["content"][PROBLEM] = {"schema": schema_of("Problem")}
    paths["/readyz"] = {"get": ready}
    return paths
