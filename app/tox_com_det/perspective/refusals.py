"""Google's errors for a key that is missing or wrong, and for a quota that is used up."""

from __future__ import annotations

from typing import Any

from tox_com_det.keys.access import AccessRefused, KeyMissing, QuotaExceeded
from tox_com_det.keys.quotas import WINDOW_SECONDS
from tox_com_det.perspective.errors import GoogleError

_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_MESSAGE = "type.googleapis.com/google.rpc.LocalizedMessage"
_HELP = "type.googleapis.com/google.rpc.Help"
_DOMAIN = "googleapis.com"
# The name that clients know; what answers is this server.
_SERVICE = "commentanalyzer.googleapis.com"
_METRIC = f"{_SERVICE}/analyze_requests"
_DRAFT = "https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-07"


def refusal(error: AccessRefused) -> GoogleError:
    """The response to a request that is not answered because of its key or its rate."""
    if isinstance(error, QuotaExceeded):
        return _quota(error)
    if isinstance(error, KeyMissing):
        return GoogleError(
            403,
            "This server requires an API key: send it as key=KEY or in the header x-goog-api-key",
            [_info("API_KEY_MISSING", service=_SERVICE)],
        )
    message = "API key not valid. Please pass a valid API key."
    details = [
        _info("API_KEY_INVALID", service=_SERVICE),
        {"@type": _MESSAGE, "locale": "en-US", "message": message},
    ]
    return GoogleError(400, message, details)


def _quota(error: QuotaExceeded) -> GoogleError:
    quota = error.quota
    # Not the address: a client behind a proxy would read the proxy's.
    consumer = "addresses/own" if error.key is None else f"keys/{error.key}"
    limit = f"AnalyzeRequestsPer{WINDOW_SECONDS}Seconds"
    message = (
        f"Quota exceeded for quota metric 'Analyze requests' and limit '{limit}' of service"
        f" '{_SERVICE}' for consumer '{consumer}': {quota.rate} a second, {quota.limit} at once."
    )
    info = _info(
        "RATE_LIMIT_EXCEEDED",
        consumer=consumer,
        service=_SERVICE,
        quota_limit=limit,
        quota_limit_value=str(quota.limit),
        quota_location="global",
        quota_metric=_METRIC,
    )
    links = [{"description": "What the headers RateLimit-* of a response mean", "url": _DRAFT}]
    return GoogleError(429, message, [info, {"@type": _HELP, "links": links}], quota.headers())


def _info(reason: str, **metadata: str) -> dict[str, Any]:
    return {"@type": _INFO, "reason": reason, "domain": _DOMAIN, "metadata": metadata}
