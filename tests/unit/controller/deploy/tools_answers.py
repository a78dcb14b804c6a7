"""What slotctl and releasectl answer to a deploy that goes well, for tests to take from."""

from __future__ import annotations

from local_remote import LocalRemote, lines

from controller.deploy.connection import Done

APP = "/opt/tox_com_det/releases/1.0-aaa"
OLD = "/srv/tox_com_det/models/old"
VERIFIED = {
    "peak_bytes": 90_000_000, "limit_bytes": 300_000_000, "free_bytes": 500_000_000,
    "known_answers": 12, "worst": 1e-7, "collection": "word_embeddings.c", "count": 7,
}  # fmt: skip
NOTHING_PRUNED = {"remove": [], "keep": [], "removed": True, "free_bytes": 10**9}


def entry(kind: str, path: str, **changes: object) -> dict:
    """An entry of `releasectl releases`."""
    base = {
        "kind": kind, "name": path.rsplit("/", 1)[-1], "path": path, "bytes": 1000,
        "installed": "2026-01-02T03:04:05Z", "complete": True, "live": False, "previous": False,
        "running": False,
    }  # fmt: skip
    return {**base, **changes}


def releases(
    models: list[dict] | None = None,
    apps: list[dict] | None = None,
    confirmed: dict | None = None,
) -> dict:
    """The answer of `releasectl releases`."""
    return {
        "models": models or [],
        "apps": apps or [],
        "uploads": {"files": 1, "bytes": 5_000_000},
        "free_bytes": 10**10,
        "confirmed": confirmed,
    }


def confirmed(model: str = OLD, app: str = APP, previous: dict | None = None) -> dict:
    """What confirmed.json says."""
    at = "2026-01-02T03:04:05Z"
    return {"slot": "blue", "app": app, "model": model, "at": at, "previous": previous}


def slots(confirmed: dict | None) -> Done:
    """What `slotctl status --json` prints."""
    return lines({"live": "blue" if confirmed else None, "confirmed": confirmed, "slots": {}})


def activated(
    model: str, app: str = APP, changed: bool = True, previous: dict | None = None
) -> Done:
    """What `slotctl activate --json` prints when it went well."""
    phases = [{"phase": name} for name in ("activate", "confirm", "watch")]
    result = {
        "changed": changed, "slot": "green", "app": app, "model": model,
        "model_version": "v", "previous": previous,
    }  # fmt: skip
    return lines(*(phases if changed else phases[:1]), {"say": "green: live"}, {"result": result})


def well(remote: LocalRemote, model: str, found: dict) -> None:
    """Let every tool answer as in a deploy of that model that goes well."""
    remote.answers = {
        "--check-only": lines(),
        "lock": lines({"result": {"holder": None}}),
        "releases": lines({"result": found}),
        "status": slots(found["confirmed"]),
        "verify": lines({"result": VERIFIED}),
        "activate": activated(model),
        "prune": lines({"result": NOTHING_PRUNED}),
    }
