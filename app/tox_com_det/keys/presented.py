"""Where a request has its key. Nothing here decides whether a key is valid."""

from __future__ import annotations

from collections.abc import Callable, Mapping

_BEARER = "bearer "
# Names of query parameters, as Google's clients send them.
_PARAMETERS = ("key", "access_token", "oauth_token")


def google_keys(query: Mapping[str, str], header: Callable[[str], str]) -> list[str]:
    """What a request of Perspective's clients may mean as its key.

    Args:
        query: parameters of its query.
        header: the value of a header, or "".
    """
    found = [query.get(name, "") for name in _PARAMETERS]
    return _without_empty([*found, header("X-Goog-Api-Key"), _bearer(header("Authorization"))])


def own_keys(header: Callable[[str], str]) -> list[str]:
    """What a request of this project's own API may mean as its key."""
    return _without_empty([header("X-Api-Key"), _bearer(header("Authorization"))])


def _bearer(authorization: str) -> str:
    if authorization[: len(_BEARER)].lower() != _BEARER:
        return ""
    return authorization[len(_BEARER) :].strip()


def _without_empty(keys: list[str]) -> list[str]:
    return [key for key in keys if key]
