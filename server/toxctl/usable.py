"""Whether a release can be used: complete and not damaged. Errors name the command that repairs."""

from __future__ import annotations

import os
from typing import Any

from toxctl import damage, files, integrity, manifest
from toxctl.config import REPAIR, Config
from toxctl.errors import ToxctlError

__all__ = ["kind_of", "newer_app", "repair", "require", "require_complete"]

WORDS = {"app": "app release", "model": "model"}


def kind_of(config: Config, path: str) -> str:
    """Return whether a release is an `app` or a `model`, by its real directory."""
    return "model" if os.path.dirname(path) == os.path.realpath(config.models_dir) else "app"


def repair(config: Config, kind: str, path: str) -> str:
    """Return the command for a damaged release: another one beside it, or its removal."""
    confirmed = _confirmed(config)
    in_use = path == confirmed.get(kind) or path == os.path.realpath(config.app_link)
    if confirmed and not in_use:
        return "`fab releases` lists the others, `fab prune` removes it"
    step = _deploy(confirmed, kind)
    return step if os.path.isdir(path) else f"mount its disk, or {step}"


def _confirmed(config: Config) -> dict[str, Any]:
    value = files.read_json(os.path.join(config.state_dir, "confirmed.json"))
    return value if isinstance(value, dict) else {}


def _deploy(confirmed: dict[str, Any], kind: str) -> str:
    """Return the command that installs a release."""
    if kind == "model":
        return "run `fab deploy-model`"
    # Without a model fab cannot verify an app; site.yml installs it then.
    return "run `fab deploy-app`" if confirmed else REPAIR


def newer_app(config: Config) -> str:
    """Return the command that installs a newer app."""
    return _deploy(_confirmed(config), "app")


def require_complete(config: Config, kind: str, path: str) -> None:
    """Raise ToxctlError unless a release is complete; restore a lost mark if its files are whole.

    Args:
        kind: `app` or `model`.
        path: its real directory.
    """
    if not integrity.completed(path):
        confirmed, there = _confirmed(config), os.path.isdir(path)
        step = _deploy(confirmed if there else {}, kind)
        if not there and path == confirmed.get(kind):
            step = f"mount its disk, or {step}"
        raise ToxctlError(f"the {WORDS[kind]} {path} is missing or not complete: {step}")


def require(config: Config, kind: str, path: str) -> None:
    """Raise ToxctlError unless a release is complete and its files are as they were recorded.

    Kind `damaged` if they are not; of a model of version 0.1 `manifest` or `hash`.
    """
    require_complete(config, kind, path)
    recorded = integrity.is_recorded(path)
    if kind == "model" and not recorded:
        manifest.files_of(path)
    finding = damage.inspect(config, path)
    if finding.state == integrity.DAMAGED:
        what, step = integrity.words(finding.problems), repair(config, kind, path)
        raise ToxctlError(
            f"the {WORDS[kind]} {path} is damaged ({what}): {step}",
            "damaged" if recorded else "hash",
        )
