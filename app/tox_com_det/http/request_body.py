"""Bodies of requests: those that were sent in chunks, and those that nobody read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Request

from tox_com_det.http.errors import ApiError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# Python reads no number of thousands of digits.
_LENGTH = re.compile(r"[0-9]{1,15}", re.ASCII)
_CHUNK = 64 * 1024
# nginx refuses larger bodies long before.
_MOST_DRAINED = 16 * 1024 * 1024


def content_length(environ: Mapping[str, Any]) -> int | None:
    """The length that a request states; None: none, or no number that a body could have."""
    length = str(environ.get("CONTENT_LENGTH") or "")
    return int(length) if _LENGTH.fullmatch(length) else None


class BodyMiddleware:
    """WSGI middleware for the bodies that nginx passes on.

    - nginx decodes chunks and passes the length of the result, but also the client's header
      `Transfer-Encoding: chunked`. werkzeug then ignores the length and reads nothing. A body whose
      length is stated is not chunked any more.
    - What the app did not read is read here: nginx loses the response if uWSGI closes the
      connection before it has sent the whole body. uWSGI's own way, post-buffering, would write
      bodies to disk, and its timeout for requests ends the whole worker at the wrong moment:
      in uWSGI 2.0 all threads share one deadline, and reading a body moves it even when another
      request has just cleared it.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if environ.get("CONTENT_LENGTH"):
            environ.pop("HTTP_TRANSFER_ENCODING", None)
        body = _Counted(environ)
        environ["wsgi.input"] = body
        response = self._app(environ, start)
        body.drain()
        return response


class _Counted:
    """`wsgi.input` that counts what was read."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        self._stream = environ["wsgi.input"]
        self._left = content_length(environ) or 0

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._stream.read(size)
        self._left -= len(data)
        return data

    def drain(self) -> None:
        left = min(self._left, _MOST_DRAINED)
        try:
            while left > 0:
                data = self._stream.read(min(left, _CHUNK))
                if not data:
                    return
                left -= len(data)
        except OSError:
            # The client went away.
            return


def read_body(request: Request) -> bytes:
    """The body of a request.

    Raises:
        ApiError: 411 length_required, the server did not decode a chunked body.
    """
    chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    if chunked and "wsgi.input_terminated" not in request.environ:
        raise ApiError(
            411, "length_required", "a chunked body cannot be read here: send Content-Length"
        )
    return request.get_data(cache=False)
