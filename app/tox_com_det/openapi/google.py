"""The operations of the Perspective API in the document, from its discovery document.

Google's clients read that one; here are the values as well that a request must have, as
`perspective.messages` reads them: as leniently as Google, so null, numbers in quotes and `true` in
quotes are among them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tox_com_det.http.forms import NOT_BLANK
from tox_com_det.openapi.parts import Part, body, content, operation, schema_of
from tox_com_det.perspective.discovery import SCHEMAS

TAG = "Perspective API"
_ERRORS = (400, 403, 404, 405, 411, 413, 415, 429, 500, 503)
_TEXT = {"type": "string", "minLength": 1, "pattern": NOT_BLANK}
_STRING = {"type": ["string", "null"]}
_BOOLEAN = {"enum": [True, False, None, "true", "false"]}
_NUMBER = {
    "anyOf": [
        {"type": ["number", "null"]},
        {"type": "string", "pattern": r"^-?[0-9]{1,9}(\.[0-9]{1,9})?$"},
    ]
}
_POSITION = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
_PLAIN = {"enum": ["PLAIN_TEXT", "TEXT_TYPE_UNSPECIFIED", "", None]}
_ENTRY = {"type": ["object", "null"], "properties": {"text": _STRING, "type": _PLAIN}}
_SCORE_TYPE = {"enum": ["PROBABILITY", "SCORE_TYPE_UNSPECIFIED", "", None]}


def google_schemas(attributes: Sequence[str], languages: Sequence[str]) -> Part:
    """The schemas of the API.

    Args:
        attributes: that the model has.
        languages: that a request may name.
    """
    schemas = {name: _converted(schema) for name, schema in SCHEMAS.items()}
    comment = {
        "type": "object",
        "required": ["text"],
        "properties": {"text": _TEXT, "type": _PLAIN},
    }
    both = {
        "required": ["entries", "articleAndParentComment"],
        "properties": {
            "entries": {"type": "array", "minItems": 1},
            "articleAndParentComment": {"type": "object", "minProperties": 1},
        },
    }
    entry = schema_of("TextEntry")
    schemas["TextEntry"] |= _ENTRY
    schemas["ArticleAndParentComment"] |= {
        "type": ["object", "null"],
        "properties": {"article": entry, "parentComment": entry},
    }
    schemas["Context"] |= {
        "type": ["object", "null"],
        "properties": {
            "entries": {"type": ["array", "null"], "items": entry},
            "articleAndParentComment": schema_of("ArticleAndParentComment"),
        },
        "not": both,
    }
    # A region may follow, and what a client does not name is taken as the model's.
    spoken = "|".join(map(re.escape, languages))
    language = {"type": "string", "pattern": f"^({spoken}|)$"}
    shared: Part = {
        "comment": comment,
        "context": schema_of("Context"),
        "clientToken": _STRING,
    }
    names = "|".join(map(re.escape, attributes))
    schemas["AttributeParameters"] |= {
        "type": ["object", "null"],
        "properties": {"scoreType": _SCORE_TYPE, "scoreThreshold": _NUMBER},
    }
    _require(
        schemas["AnalyzeCommentRequest"],
        ["comment", "requestedAttributes"],
        **shared,
        requestedAttributes={
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": f"^({names})(@[0-9]+)?$"},
            "additionalProperties": schema_of("AttributeParameters"),
        },
        languages={"anyOf": [{"type": ["array", "null"], "items": language}, language]},
        spanAnnotations=_BOOLEAN,
        dropUnsupportedAttributes=_BOOLEAN,
        doNotStore={},
        sessionId={},
        communityId={},
    )
    score = {
        "type": "object",
        "required": ["value"],
        "properties": {"value": {"type": "number"}, "type": _STRING},
    }
    span = {
        "type": "object",
        "required": ["begin", "end", "score"],
        "properties": {"begin": _POSITION, "end": _POSITION, "score": score},
    }
    spans = {"type": ["array", "null"], "items": span}
    some = {"type": "array", "minItems": 1}
    suggested = {
        "type": "object",
        "properties": {"summaryScore": score, "spanScores": spans},
        "anyOf": [
            {"required": ["summaryScore"]},
            {"required": ["spanScores"], "properties": {"spanScores": some}},
        ],
    }
    _require(
        schemas["SuggestCommentScoreRequest"],
        ["comment", "attributeScores"],
        **shared,
        attributeScores={
            "type": "object",
            "minProperties": 1,
            "additionalProperties": suggested,
        },
        languages={
            "anyOf": [{"type": ["array", "null"], "items": {"type": "string"}}, {"type": "string"}]
        },
        doNotStore=_BOOLEAN,
        communityId=_STRING,
        sessionId={},
    )
    schemas["GoogleError"] = _ERROR
    return schemas


_BATCH = """--part
Content-Type: application/http
Content-ID: <1>

POST /v1alpha1/comments:analyze

{"comment": {"text": "You are an idiot."}, "requestedAttributes": {"TOXICITY": {}}}
--part--
"""
_ERROR: Part = {
    "title": "GoogleError",
    "description": "An error in Google's form.",
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "status"],
            "properties": {
                "code": {"type": "integer"},
                "message": {"type": "string"},
                "status": {"type": "string"},
                "details": {"type": "array", "items": {"type": "object"}},
            },
        }
    },
}


def google_paths(attributes: Sequence[str], requires_key: bool) -> Part:
    """The paths of the API; for the arguments see `google_schemas` and `own_paths`."""
    optional: list[Part] = [] if requires_key else [{}]
    security = [{"googleKey": []}, {"googleHeader": []}, {"bearer": []}, *optional]
    errors = {str(one): content(schema_of("GoogleError"), "An error.") for one in _ERRORS}
    pretty = {
        "name": "prettyPrint",
        "in": "query",
        "description": "`false` for JSON without indentation.",
        "schema": {"type": "string"},
    }
    comment = {"text": "You are an idiot.", "type": "PLAIN_TEXT"}
    asked: dict[str, Any] = {name: {} for name in attributes[:1]}
    own = {name: {"summaryScore": {"value": 0.9}} for name in attributes[:1]}

    def method(name: str, kind: str, summary: str, example: Any) -> Part:
        answer = content(schema_of(f"{kind}Response"), "Done.")
        return operation(
            TAG,
            name,
            summary,
            answer,
            errors,
            security=security,
            parameters=[pretty],
            requestBody=body(schema_of(f"{kind}Request"), example),
        )

    batch = operation(
        TAG,
        "batch",
        "Many requests in one",
        content({"type": "string"}, "The responses, in order.", "multipart/mixed"),
        errors,
        security=security,
        description="Each part is `application/http` and holds one request of the others.",
        requestBody=body({}, _BATCH, "multipart/mixed"),
    )
    discovery = operation(
        TAG,
        "discovery",
        "The discovery document, from which Google's clients build themselves",
        content({"type": "object"}, "The document."),
        errors,
    )
    return {
        "/v1alpha1/comments:analyze": {
            "post": method(
                "analyze",
                "AnalyzeComment",
                "Score a comment",
                {"comment": comment, "requestedAttributes": asked},
            )
        },
        "/v1alpha1/comments:suggestscore": {
            "post": method(
                "suggestscore",
                "SuggestCommentScore",
                "Say what a comment's scores should be",
                {"comment": comment, "attributeScores": own},
            )
        },
        "/batch": {"post": batch},
        "/$discovery/rest": {"get": discovery},
    }


def _require(schema: Part, required: list[str], **properties: Part) -> None:
    schema["required"] = required
    schema["properties"] = {**schema["properties"], **properties}


def _converted(value: Any) -> Any:
    """A schema of a discovery document as JSON Schema."""
    if isinstance(value, list):
        return [_converted(one) for one in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("$ref"), str):
        return schema_of(value["$ref"])
    found = {key: _converted(one) for key, one in value.items() if key != "enumDescriptions"}
    if isinstance(value.get("id"), str):
        found["title"] = found.pop("id")
    return found
