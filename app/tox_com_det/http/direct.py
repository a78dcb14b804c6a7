"""The way of a plain request past Flask, which would take longer than everything but the head.

Only a POST with a length and nothing unusual goes it, and only its success is answered here. What
fails is handed to Flask's view, which raises it again: every error has one handler, there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any

from flask import g, request
from werkzeug.exceptions import ClientDisconnected

from tox_com_det.http.request_body import content_length
from tox_com_det.http.turns import Turns
from tox_com_det.keys.access import Access, QuotaExceeded
from tox_com_det.keys.quotas import Quota
from tox_com_det.metrics.measured import begin_request
from tox_com_det.model.workers import Workers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_FAILED = "tox_com_det.failed"
# When a request began that was to be answered directly (`time.perf_counter`).
BEGAN = "tox_com_det.began"

Environ = dict[str, Any]
Headers = list[tuple[str, str]]


class Route:
    """One address that is answered directly.

    Attributes:
        rule: the rule of Flask's route, by which requests are counted.
        takes: whether a request is a plain one.
        keys: what a request may mean as its key.
        answer: the response's body of a request's body.
        headers: of every response, in the order in which they are sent, without the length.
        added: headers that depend on the request.
    """

    def __init__(
        self,
        rule: str,
        takes: Callable[[Environ], bool],
        keys: Callable[[Environ], list[str]],
        answer: Callable[[bytes], bytes],
        headers: Mapping[str, str],
        added: Callable[[Environ], Headers] = lambda environ: [],
    ) -> None:
        self.rule = rule
        self.takes = takes
        self.keys = keys
        self.answer = answer
        self.headers = list(headers.items())
        self.added = added


class DirectMiddleware:
    """WSGI middleware that answers plain requests of some routes itself."""

    def __init__(
        self,
        app: WSGIApplication,
        routes: Mapping[str, Route],
        access: Access,
        turns: Turns,
        workers: Workers,
        max_body_bytes: int,
        count: Callable[[str, int, float], None],
    ) -> None:
        """A middleware for some routes.

        Args:
            app: Flask's, which answers everything else.
            routes: by path.
            access, turns, workers: those of the app.
            max_body_bytes: a larger body is not plain.
            count: counts an answer by its route, status and seconds.
        """
        self._app = app
        self._routes = routes
        self._access = access
        self._turns = turns
        self._workers = workers
        self._max_body_bytes = max_body_bytes
        self._count = count

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        route = self._routes.get(environ.get("PATH_INFO", ""))
        length = content_length(environ)
        if (
            route is None
            or environ["REQUEST_METHOD"] != "POST"
            or length is None
            or length > self._max_body_bytes
            or "HTTP_TRANSFER_ENCODING" in environ
            or "HTTP_CONTENT_ENCODING" in environ
            or not route.takes(environ)
        ):
            return self._app(environ, start)
        began = time.perf_counter()
        begin_request()
        quota: Quota | None = None
        try:
            client = self._access.admit(environ, route.keys(environ))
            quota = client.quota
            with self._turns.turn(client.name):
                # Inside: bodies that wait stay in nginx and not in this process's memory.
                body = _read(environ, length)
                answer = self._workers.run(lambda: route.answer(body))
        except Exception as error:
            environ[_FAILED] = (error, quota)
            environ[BEGAN] = began
            return self._app(environ, start)
        headers = [*route.headers, ("Content-Length", str(len(answer))), *route.added(environ)]
        if quota is not None:
            headers += quota.headers().items()
        start("200 OK", headers)
        self._count(route.rule, 200, time.perf_counter() - began)
        return [answer]


def raise_failed() -> None:
    """Raise the error of a request that was to be answered directly; called by its view."""
    failed = request.environ.pop(_FAILED, None)
    if failed is None:
        return
    error, quota = failed
    if isinstance(error, QuotaExceeded):
        quota = error.quota
    if quota is not None:
        g.quota = quota
    raise error


def header_of(environ: Environ) -> Callable[[str], str]:
    """What finds the headers of a request by their names."""
    return lambda name: str(environ.get(f"HTTP_{name.replace('-', '_').upper()}", ""))


def _read(environ: Environ, length: int) -> bytes:
    stream = environ["wsgi.input"]
    # Nobody waits for more of it.
    environ["wsgi.input"], environ["CONTENT_LENGTH"] = BytesIO(), "0"
    try:
        body: bytes = stream.read(length)
    except OSError as error:
        raise ClientDisconnected from error
    if len(body) < length:
        raise ClientDisconnected
    return body
