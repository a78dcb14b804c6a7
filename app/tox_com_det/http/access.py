"""Keys and rates at the HTTP API: errors in this project's form, and headers that tell a quota."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Flask, Response, g, request

from tox_com_det.http.errors import ApiError, error_response
from tox_com_det.keys.access import Access, AccessRefused, Client, KeyMissing, QuotaExceeded
from tox_com_det.keys.buckets import SharedBuckets
from tox_com_det.keys.key_file import KeyFile
from tox_com_det.settings import Settings

EXPOSED_HEADERS = "RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After"


def add_access(app: Flask, settings: Settings) -> Access:
    """Add the responses to refused requests; returns what `admit` asks."""

    @app.errorhandler(AccessRefused)
    def refused(error: AccessRefused) -> Response:
        status, code, message = _describe(error)
        response = error_response(ApiError(status, code, message))
        if status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response

    @app.after_request
    def add_quota(response: Response) -> Response:
        quota = g.get("quota")
        if quota is not None:
            response.headers.update(quota.headers())
        return response

    shared = settings.shared_directory
    buckets = None if shared is None else SharedBuckets(shared / "rates")
    return Access(KeyFile(settings.keys_file), settings.require_key, buckets)


def admit(access: Access, presented: Sequence[str]) -> Client:
    """Count the running request; see `Access.admit`. Its response tells the quota."""
    try:
        client = access.admit(request.environ, presented)
    except QuotaExceeded as error:
        g.quota = error.quota
        raise
    if client.quota is not None:
        g.quota = client.quota
    return client


def _describe(error: AccessRefused) -> tuple[int, str, str]:
    if isinstance(error, QuotaExceeded):
        whose = "of this address" if error.key is None else "with this key"
        words = f"too many requests {whose}: {error.quota.rate} a second, {error.quota.limit} at"
        return 429, "too_many_requests", f"{words} once; wait for {error.quota.wait} s"
    if isinstance(error, KeyMissing):
        words = "a key is required: send it as `Authorization: Bearer KEY` or as `X-Api-Key: KEY`"
        return 401, "key_required", words
    return 401, "key_invalid", "the key is not valid: it is unknown, was revoked or has ended"
