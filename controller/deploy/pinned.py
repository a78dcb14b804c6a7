"""Connections to a server whose certificate is known, whoever signed it."""

from __future__ import annotations

from typing import Any

from requests.adapters import HTTPAdapter

__all__ = ["Pinned"]


class Pinned(HTTPAdapter):
    """Accepts one certificate, by its SHA-256, whoever signed it and whatever its names are."""

    def __init__(self, sha256: str) -> None:
        self._sha256 = sha256
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, assert_fingerprint=self._sha256, **options)
