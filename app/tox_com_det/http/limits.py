"""The limits of a request, for `GET /limits` and the page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tox_com_det.perspective.batch import MOST_PARTS, MOST_RESPONSE_BYTES
from tox_com_det.perspective.messages import MOST_ATTRIBUTES
from tox_com_det.settings import Settings

# Set by nginx on every request, such as `requests_per_second=50 burst=200`: what it enforces.
SERVER_LIMITS = "HTTP_X_TOX_COM_DET_LIMITS"
_SERVER_LIMIT = re.compile(r"(requests_per_second|burst|connections)=([0-9]{1,9})(?![0-9])")


def limits(settings: Settings, environ: Mapping[str, Any]) -> dict[str, int]:
    """Each limit by name.

    Args:
        settings: the app's own limits.
        environ: the request's; names the limits of nginx, if it is in front.
    """
    return {
        "texts": settings.max_texts,
        "characters_per_text": settings.max_chars,
        "body_bytes": settings.max_body_bytes,
        "unknown_words": settings.max_unknown_words,
        "attributes": MOST_ATTRIBUTES,
        "batch_requests": MOST_PARTS,
        "batch_response_bytes": MOST_RESPONSE_BYTES,
        **server_limits(environ),
    }


def server_limits(environ: Mapping[str, Any]) -> dict[str, int]:
    """The limits of nginx by name; none if nginx is not in front."""
    found = _SERVER_LIMIT.findall(str(environ.get(SERVER_LIMITS, "")))
    return {name: int(value) for name, value in found}
