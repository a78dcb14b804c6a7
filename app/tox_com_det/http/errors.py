"""Errors a client can meet, all in one form: `{"error": {"status", "code", "message"}}`."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """A request that is answered with an error.

    Attributes:
        status: HTTP status.
        code: word for programs, stable.
        message: sentence for people.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def error_body(status: int, code: str, message: str) -> dict[str, Any]:
    """The body of an error response."""
    return {"error": {"status": status, "code": code, "message": message}}
