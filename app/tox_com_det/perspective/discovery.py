"""The discovery document, from which Google's clients build themselves."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

_STRING = {"type": "string"}
_BOOLEAN = {"type": "boolean"}
_SCORE_TYPES = ["SCORE_TYPE_UNSPECIFIED", "PROBABILITY", "STD_DEV_SCORE", "PERCENTILE", "RAW"]
_ICON = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


def _ref(name: str) -> dict[str, str]:
    return {"$ref": name}


def _array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _map(values: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values}


def _enum(values: list[str]) -> dict[str, Any]:
    return {"type": "string", "enum": values, "enumDescriptions": [""] * len(values)}


def _schema(name: str, **properties: Any) -> dict[str, Any]:
    return {"id": name, "type": "object", "properties": properties}


SCHEMAS = {
    schema["id"]: schema
    for schema in (
        _schema(
            "AnalyzeCommentRequest",
            comment=_ref("TextEntry"),
            context=_ref("Context"),
            requestedAttributes=_map(_ref("AttributeParameters")),
            languages=_array(_STRING),
            doNotStore=_BOOLEAN,
            clientToken=_STRING,
            sessionId=_STRING,
            communityId=_STRING,
            spanAnnotations=_BOOLEAN,
            dropUnsupportedAttributes=_BOOLEAN,
        ),
        _schema(
            "AnalyzeCommentResponse",
            attributeScores=_map(_ref("AttributeScores")),
            languages=_array(_STRING),
            detectedLanguages=_array(_STRING),
            clientToken=_STRING,
        ),
        _schema(
            "ArticleAndParentComment", article=_ref("TextEntry"), parentComment=_ref("TextEntry")
        ),
        _schema(
            "AttributeParameters",
            scoreType=_enum(_SCORE_TYPES),
            scoreThreshold={"type": "number", "format": "float"},
        ),
        _schema(
            "AttributeScores", spanScores=_array(_ref("SpanScore")), summaryScore=_ref("Score")
        ),
        _schema(
            "Context",
            entries=_array(_ref("TextEntry")),
            articleAndParentComment=_ref("ArticleAndParentComment"),
        ),
        _schema("Score", value={"type": "number", "format": "float"}, type=_enum(_SCORE_TYPES)),
        _schema(
            "SpanScore",
            begin={"type": "integer", "format": "int32"},
            end={"type": "integer", "format": "int32"},
            score=_ref("Score"),
        ),
        _schema(
            "SuggestCommentScoreRequest",
            comment=_ref("TextEntry"),
            context=_ref("Context"),
            attributeScores=_map(_ref("AttributeScores")),
            languages=_array(_STRING),
            communityId=_STRING,
            sessionId=_STRING,
            clientToken=_STRING,
        ),
        _schema(
            "SuggestCommentScoreResponse",
            clientToken=_STRING,
            detectedLanguages=_array(_STRING),
            requestedLanguages=_array(_STRING),
        ),
        _schema(
            "TextEntry", text=_STRING, type=_enum(["TEXT_TYPE_UNSPECIFIED", "PLAIN_TEXT", "HTML"])
        ),
    )
}


def _query(description: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    return {"description": description, "type": kind, "location": "query", **more}


_PARAMETERS = {
    "$.xgafv": _query("Format of errors.", enum=["1", "2"], enumDescriptions=["", ""]),
    "access_token": _query("API key, as an OAuth client sends it."),
    "alt": _query(
        "Format of the response: JSON only.",
        default="json",
        enum=["json", "media", "proto"],
        enumDescriptions=["", "", ""],
    ),
    "callback": _query("JSONP, which is refused."),
    "fields": _query("Parts of the response to include."),
    "key": _query("API key."),
    "oauth_token": _query("API key, as an OAuth client sends it."),
    "prettyPrint": _query("Indent the response.", "boolean", default="true"),
    "quotaUser": _query("A user of the client, up to 40 characters; not used."),
    "uploadType": _query("Not used."),
    "upload_protocol": _query("Not used."),
}


def _method(name: str, description: str, request: str, response: str) -> dict[str, Any]:
    return {
        "id": f"commentanalyzer.comments.{name}",
        "path": f"v1alpha1/comments:{name}",
        "flatPath": f"v1alpha1/comments:{name}",
        "httpMethod": "POST",
        "description": description,
        "parameters": {},
        "parameterOrder": [],
        "request": _ref(request),
        "response": _ref(response),
        "scopes": ["https://www.googleapis.com/auth/userinfo.email"],
    }


_METHODS = {
    "analyze": _method(
        "analyze", "Scores a comment.", "AnalyzeCommentRequest", "AnalyzeCommentResponse"
    ),
    "suggestscore": _method(
        "suggestscore",
        "Takes a client's own scores of a comment.",
        "SuggestCommentScoreRequest",
        "SuggestCommentScoreResponse",
    ),
}


def discovery_document(root: str, revision: str) -> dict[str, Any]:
    """The document of a server.

    Args:
        root: its public address with a slash at the end; clients build every URL from it.
        revision: YYYYMMDD.
    """
    scope = {"description": "Not used: send a key."}
    return {
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": "commentanalyzer:v1alpha1",
        "name": "commentanalyzer",
        "canonicalName": "Comment Analyzer",
        "version": "v1alpha1",
        "version_module": True,
        "revision": revision,
        "title": "Perspective Comment Analyzer API, served by tox_com_det",
        "description": "Scores of comments, from this server's own model.",
        "ownerDomain": urlsplit(root).hostname or "localhost",
        "ownerName": "tox_com_det",
        "documentationLink": root,
        "icons": {"x16": _ICON, "x32": _ICON},
        "auth": {
            "oauth2": {"scopes": {"https://www.googleapis.com/auth/userinfo.email": scope}},
        },
        "protocol": "rest",
        "rootUrl": root,
        "baseUrl": root,
        "basePath": "",
        "servicePath": "",
        "batchPath": "batch",
        "parameters": _PARAMETERS,
        "schemas": SCHEMAS,
        "resources": {"comments": {"methods": _METHODS}},
    }
