"""Which releases are known to be damaged: found by a verification, kept until the next one.

Without it `toxctl status` and `toxctl prune` would have to hash every release each time.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from toxctl import files, integrity
from toxctl.config import Config
from toxctl.integrity import DAMAGED, Finding

__all__ = ["GONE", "inspect", "known", "note"]

GONE = "its directory is missing"  # a problem of a release that is not there


def _path(config: Config) -> str:
    return os.path.join(config.state_dir, "damaged.json")


def known(config: Config) -> dict[str, str]:
    """Return the damaged releases that are still installed: real directory -> what differs."""
    value = files.read_json(_path(config))
    found = value.get("releases") if isinstance(value, dict) else None
    if not isinstance(found, dict):
        return {}
    return {path: str(what) for path, what in found.items() if os.path.isdir(path)}


def inspect(config: Config, release: str) -> Finding:
    """Compare a release with what was recorded of it, and remember whether it is damaged."""
    finding = integrity.inspect(release)
    note(config, release, finding.problems if finding.state == DAMAGED else [])
    return finding


def note(config: Config, release: str, problems: Sequence[str]) -> None:
    """Remember what is damaged of a release; nothing, if there are no problems."""
    before = known(config)
    after = {path: what for path, what in before.items() if path != release}
    if problems:
        after[release] = integrity.words(problems)
    if after != before:
        files.write_json(_path(config), {"format": 1, "releases": after})
