"""How a release, a model with an app, is named in messages."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

__all__ = ["describe"]


def describe(release: Mapping[str, Any] | None) -> str:
    """Return the names of a release's model and app."""
    if not release:
        return "nothing"
    names = (posixpath.basename(str(release[key])) for key in ("model", "app"))
    return "model {} with app {}".format(*names)
