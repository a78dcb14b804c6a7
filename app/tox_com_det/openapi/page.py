"""The document as a page: HTML that the service renders itself, without a script."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import render_template
from markupsafe import Markup, escape

from tox_com_det.http.errors import TITLES

_LIMITS = {
    "minimum": "from {}",
    "maximum": "to {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "matches {}",
    "default": "default {}",
}


@dataclass(frozen=True)
class Field:
    """A property of a schema."""

    name: str
    kind: Markup
    required: bool
    description: str


@dataclass(frozen=True)
class Operation:
    """An operation as the page shows it."""

    method: str
    path: str
    summary: str
    description: str
    request: Markup | None
    example: str
    answers: list[tuple[str, str, Markup]]


def render_docs(document: Mapping[str, Any], style: Markup) -> str:
    """The page's HTML; every value is escaped.

    Args:
        document: of OpenAPI.
        style: CSS.
    """
    groups: dict[str, list[Operation]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            shown = _operation(document, method.upper(), path, operation)
            groups[operation["tags"][0]].append(shown)
    schemas = document["components"]["schemas"]
    return render_template(
        "docs.html",
        style=style,
        info=document["info"],
        groups=groups,
        notes={tag["name"]: tag["description"] for tag in document["tags"]},
        schemas={name: list(_fields(one)) for name, one in schemas.items()},
        descriptions={name: one.get("description", "") for name, one in schemas.items()},
        codes=TITLES,
    )


def _operation(
    document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]
) -> Operation:
    request, example = None, ""
    if "requestBody" in operation:
        ((media_type, one),) = operation["requestBody"]["content"].items()
        request = Markup("{} <code>{}</code>").format(_kind(one["schema"]), media_type)
        example = one["example"]
        if not isinstance(example, str):
            example = json.dumps(example, indent=2, ensure_ascii=False)
    answers = []
    for status, response in operation["responses"].items():
        if "$ref" in response:
            response = document["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
        kinds = [_kind(one["schema"]) for one in response["content"].values()]
        answers.append((status, response["description"], Markup(", ").join(kinds)))
    return Operation(
        method,
        path,
        operation["summary"],
        operation.get("description", ""),
        request,
        example,
        answers,
    )


def _fields(schema: Mapping[str, Any]) -> Iterator[Field]:
    required = schema.get("required", ())
    for name, one in schema.get("properties", {}).items():
        yield Field(name, _kind(one), name in required, one.get("description", ""))


def _kind(schema: Any) -> Markup:
    """What a value may be, in words."""
    if not isinstance(schema, dict) or not schema:
        return Markup("anything")
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return Markup('<a href="#schema-{0}">{0}</a>').format(name)
    if "allOf" in schema:
        return _kind(schema["allOf"][0])
    for key in ("anyOf", "oneOf"):
        if key in schema and "type" not in schema:
            return Markup(" or ").join(map(_kind, schema[key]))
    if "enum" in schema:
        return Markup(" or ").join(escape(json.dumps(one)) for one in schema["enum"])
    types = schema.get("type", "anything")
    words = escape(" or ".join(types) if isinstance(types, list) else types)
    if isinstance(schema.get("items"), dict):
        words += Markup(" of {}").format(_kind(schema["items"]))
    if isinstance(schema.get("additionalProperties"), dict):
        words += Markup(" of {}").format(_kind(schema["additionalProperties"]))
    limits = [text.format(schema[key]) for key, text in _LIMITS.items() if key in schema]
    return words + (f" ({', '.join(limits)})" if limits else "")
