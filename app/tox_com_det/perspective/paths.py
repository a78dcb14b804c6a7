"""The API's paths, as clients spell them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_API = re.compile(r"/+((?:v1alpha1|batch|\$discovery)(?:/.*)?)\Z", re.DOTALL)


def is_api_path(path: str) -> bool:
    """Whether an address, as the service sees it, is one of the API."""
    return _API.match(path) is not None


class PathMiddleware:
    """WSGI middleware that answers `//v1alpha1/...` and `.../comments:analyze/` without a redirect.

    A base address with a slash at its end makes the first, and clients do not follow a redirect of
    a POST.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        match = _API.match(environ.get("PATH_INFO", ""))
        if match:
            environ["PATH_INFO"] = "/" + re.sub("/+", "/", match[1]).rstrip("/")
        return self._app(environ, start)
