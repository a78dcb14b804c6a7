"""Parts that operations of the document are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tox_com_det.http.body import MEDIA_TYPE as JSON

Part = dict[str, Any]


def schema_of(name: str) -> Part:
    """A reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def content(schema: Part, description: str, media_type: str = JSON) -> Part:
    """A response with a body."""
    return {"description": description, "content": {media_type: {"schema": schema}}}


def operation(
    tag: str,
    name: str,
    summary: str,
    response: Part,
    errors: Mapping[str, Part] | Iterable[int],
    **more: Any,
) -> Part:
    """An operation.

    Args:
        tag: the group that it is in.
        name: its `operationId`.
        summary: what it does.
        response: of status 200.
        errors: responses by status, or statuses whose response is in the document's components.
        more: other members of an Operation Object.
    """
    if not isinstance(errors, Mapping):
        errors = {str(one): {"$ref": f"#/components/responses/{one}"} for one in sorted(errors)}
    return {
        "tags": [tag],
        "operationId": name,
        "summary": summary,
        "security": [],
        "responses": {"200": response, **errors},
        **more,
    }


def body(schema: Part, example: Any, media_type: str = JSON) -> Part:
    """A Request Body Object."""
    return {"required": True, "content": {media_type: {"schema": schema, "example": example}}}
