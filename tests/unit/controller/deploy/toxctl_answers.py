"""What toxctl answers to a deploy that goes well, for tests to take from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

APP = "/opt/tox_com_det/releases/1.0-aaa"
OLD = "/srv/tox_com_det/models/old"
VERIFIED = {
    "peak_bytes": 90_000_000, "limit_bytes": 300_000_000, "free_bytes": 500_000_000,
    "golden_outputs": 12, "worst": 1e-7, "collection": "word_embeddings.c", "count": 7,
}  # fmt: skip
NOTHING_PRUNED = {"remove": [], "keep": [], "removed": True, "free_bytes": 10**9}

Json = dict[str, Any]


def slot(**changes: Any) -> Json:
    """A slot in toxctl's status."""
    base = {
        "unit": "tox_com_det@blue.service", "active": "inactive", "sub": "dead", "enabled": False,
        "memory_bytes": None, "app": None, "model": None, "ready": None,
    }  # fmt: skip
    return {**base, **changes}


def status(
    config: Mapping[str, Any],
    confirmed: Json | None = None,
    models: list[Json] | None = None,
    apps: list[Json] | None = None,
    **changes: Any,
) -> Json:
    """What `toxctl status` reports; more than a laptop of this version asks for."""
    base = {
        "version": "0.2.0",
        "config": dict(config),
        "live": "blue" if confirmed else None,
        "confirmed": confirmed,
        "unfinished": False,
        "activation": None,
        "lock": None,
        "slots": {"blue": slot(), "green": slot()},
        "models": models or [],
        "apps": apps or [],
        "uploads": {"files": 1, "bytes": 5_000_000},
        "free_bytes": 10**10,
        "memory": {"limit": None, "used": None, "available": 1_024_000_000, "total": 2_048_000_000},
    }
    return {**base, **changes}


def entry(kind: str, path: str, **changes: Any) -> Json:
    """A release in toxctl's status."""
    base = {
        "kind": kind, "name": path.rsplit("/", 1)[-1], "path": path, "bytes": 1000,
        "installed": "2026-01-02T03:04:05Z", "complete": True, "live": False, "previous": False,
        "running": False,
    }  # fmt: skip
    return {**base, **changes}


def confirmed(model: str = OLD, app: str = APP, previous: Json | None = None) -> Json:
    """The content of confirmed.json."""
    at = "2026-01-02T03:04:05Z"
    return {"slot": "blue", "app": app, "model": model, "at": at, "previous": previous}


def activated(
    model: str, app: str = APP, changed: bool = True, previous: Json | None = None
) -> list[Json]:
    """What `toxctl activate` prints when it went well, line by line."""
    phases = [{"phase": name} for name in ("activate", "confirm", "watch")]
    result = {
        "changed": changed, "slot": "green", "app": app, "model": model,
        "model_version": "v", "previous": previous,
    }  # fmt: skip
    return [*(phases if changed else phases[:1]), {"say": "green: live"}, {"result": result}]
