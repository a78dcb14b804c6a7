"""`comments:analyze` past Flask, as its clients send it: a key in the query, or none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tox_com_det.http.access import EXPOSED_HEADERS
from tox_com_det.http.direct import Environ, Headers, Route, header_of
from tox_com_det.keys.presented import google_keys
from tox_com_det.perspective.query import Format
from tox_com_det.perspective.service import Service

RULE = "/v1alpha1/<path:_>"
ANALYZE = "/v1alpha1/comments:analyze"
CONTENT_TYPE = "application/json; charset=UTF-8"
# Everything else, such as `fields`, is read by the view.
_QUERY = re.compile(r"(?:key=[A-Za-z0-9_.~-]*)?")


def analyze_route(service: Service, origins: Sequence[str], headers: Mapping[str, str]) -> Route:
    """The direct route; its responses have `headers`, and those of CORS."""
    dump = Format().dump
    return Route(
        RULE,
        lambda environ: _QUERY.fullmatch(environ.get("QUERY_STRING", "")) is not None,
        _keys,
        lambda body: dump(service.answer("analyze", body, "")),
        {"Content-Type": CONTENT_TYPE, **headers},
        lambda environ: cors_headers(origins, environ.get("HTTP_ORIGIN", "")),
    )


def cors_headers(origins: Sequence[str], origin: str) -> Headers:
    """Headers for a web page of `origin`, if it may send requests."""
    exposed = ("Access-Control-Expose-Headers", EXPOSED_HEADERS)
    if "*" in origins:
        return [("Access-Control-Allow-Origin", "*"), exposed]
    if origin in origins:
        return [("Access-Control-Allow-Origin", origin), ("Vary", "Origin"), exposed]
    return [exposed]


def _keys(environ: Environ) -> list[str]:
    query = environ.get("QUERY_STRING", "")
    found = {"key": query.removeprefix("key=")} if query else {}
    return google_keys(found, header_of(environ))
