"""Error responses in Google's form: `{"error": {"code", "message", "status", "details"}}`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

ERROR_TYPE = "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"

# Characters of a client's word that are repeated to it.
SHOWN = 64

_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    411: "INVALID_ARGUMENT",
    413: "INVALID_ARGUMENT",
    415: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}


class GoogleError(Exception):
    """A request that gets an error response.

    Attributes:
        code: HTTP status.
        message: explanation; Google's words where clients compare them.
        details: objects with `@type`.
        headers: of the response.
    """

    def __init__(
        self,
        code: int,
        message: str,
        details: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """The response's JSON."""
        error: dict[str, Any] = {
            "code": self.code,
            "message": self.message,
            "status": _STATUS.get(self.code, "INTERNAL"),
        }
        if self.details:
            error["details"] = list(self.details)
        return {"error": error}


def invalid(message: str, error_type: str = "INVALID_REQUEST", **more: Any) -> GoogleError:
    """An error of the comment analyzer itself, with its `errorType`."""
    return GoogleError(400, message, [{"@type": ERROR_TYPE, "errorType": error_type, **more}])


def bad_field(field: str, expected: str) -> GoogleError:
    """A field of the wrong type. Its value, which may be a comment, is not repeated."""
    message = f"Invalid value at '{field}' ({expected})"
    violation = {"field": field, "description": message}
    return GoogleError(400, message, [{"@type": _BAD_REQUEST, "fieldViolations": [violation]}])
