"""Error responses: `{"error": {...}}`, or RFC 9457's form for clients that ask for it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Response, jsonify, request

PROBLEM = "application/problem+json"

# Every code with a title for people. `type` of a problem is the code's place at /docs.
TITLES = {
    "bad_request": "The request is not valid HTTP",
    "bad_json": "The body is not JSON",
    "wrong_type": "A value has the wrong type",
    "missing_field": "A field is missing",
    "unknown_field": "A field is unknown",
    "empty_text": "A text is empty",
    "invalid_request": "The body does not have the form that is documented",
    "key_required": "A key is required",
    "key_invalid": "The key is not valid",
    "forbidden": "This address is not for everyone",
    "not_found": "There is nothing at this address",
    "method_not_allowed": "The method is not allowed here",
    "not_acceptable": "The response cannot be in the form that is asked for",
    "request_timeout": "The request took too long to arrive",
    "length_required": "Content-Length is required",
    "body_too_large": "The body is too large",
    "text_too_long": "A text is too long",
    "too_many_texts": "There are too many texts",
    "too_many_unknown_words": "There are too many words that the model does not know",
    "too_many_words_to_explain": "There are too many words to explain",
    "uri_too_long": "The address is too long",
    "unsupported_media_type": "The body has a form that is not read",
    "expectation_failed": "What the header Expect asks for is not done",
    "too_many_requests": "There were too many requests",
    "header_too_large": "The header is too large",
    "internal": "Internal error",
    "not_implemented": "This is not supported",
    "http_version": "This version of HTTP is not supported",
    "unavailable": "The service does not answer",
    "not_ready": "The service is not ready",
    "database_unavailable": "The word vectors are unavailable",
    "busy": "Too many requests wait already",
}

# Of errors that have only a status, where the code is not the status's own name.
_CODES = {
    413: "body_too_large",
    414: "uri_too_long",
    422: "invalid_request",
    431: "header_too_large",
    500: "internal",
    502: "unavailable",
    503: "unavailable",
    504: "unavailable",
}


class ApiError(Exception):
    """A request that gets an error response.

    Attributes:
        status: HTTP status.
        code: stable identifier for programs, of `TITLES`.
        message: explanation for humans.
        pointer: JSON pointer (RFC 6901) to the part of the body that is wrong, if one is.
    """

    def __init__(self, status: int, code: str, message: str, pointer: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.pointer = pointer


def code_of(status: int) -> str:
    """The code of an error that has no more than a status, 400 to 599."""
    if status in _CODES:
        return _CODES[status]
    try:
        return HTTPStatus(status).name.lower()
    except ValueError:
        return "bad_request" if status < 500 else "internal"


def error_body(status: int, code: str, message: str) -> dict[str, Any]:
    """The body of an error response in this project's own form."""
    return {"error": {"status": status, "code": code, "message": message}}


def problem_body(error: ApiError, root: str) -> dict[str, Any]:
    """The body of an error response in RFC 9457's form; `root` is the address of the service."""
    body: dict[str, Any] = {
        "type": f"{root}docs#error-{error.code}",
        "title": TITLES.get(error.code, HTTPStatus(error.status).phrase),
        "status": error.status,
        "detail": error.message,
        "code": error.code,
    }
    if error.pointer is not None:
        body["errors"] = [{"detail": error.message, "pointer": f"#{error.pointer}"}]
    return body


def error_response(error: ApiError) -> Response:
    """The response to the running request, in the form that its header Accept asks for."""
    if _wants_problem():
        response = jsonify(problem_body(error, request.url_root))
        response.content_type = PROBLEM
    else:
        response = jsonify(error_body(error.status, error.code, error.message))
    response.status_code = error.status
    response.headers["Vary"] = "Accept"
    return response


def _wants_problem() -> bool:
    """Whether Accept names RFC 9457's form, and does not prefer plain JSON."""
    qualities = dict(request.accept_mimetypes)
    return qualities.get(PROBLEM, 0) > 0 and qualities[PROBLEM] >= qualities.get(
        "application/json", 0
    )
