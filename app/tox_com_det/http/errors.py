"""Error responses, all in one form: `{"error": {"status", "code", "message"}}`."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """A request that gets an error response.

    Attributes:
        status: HTTP status.
        code: stable identifier for programs.
        message: explanation for humans.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def error_body(status: int, code: str, message: str) -> dict[str, Any]:
    """The body of an error response."""
    return {"error": {"status": status, "code": code, "message": message}}
