"""`toxctl discard`: removes what a deploy left: an incomplete release, a dump, an upload."""

from __future__ import annotations

import os
import shutil

from toxctl import files, incoming
from toxctl.config import Config
from toxctl.errors import ToxctlError
from toxctl.protection import Protection

__all__ = ["discard_dump", "discard_release", "discard_upload"]


def discard_release(config: Config, path: str, below: str) -> bool:
    """Remove a release that is not complete; return whether it existed.

    Args:
        path: its real directory.
        below: the directory of all releases of its kind.

    Raises:
        ToxctlError: it is elsewhere; it is complete (kind `complete`); it is in use (kind
            `protected`).
    """
    if os.path.dirname(path) != os.path.realpath(below):
        raise ToxctlError(f"{path} is not below {below}")
    if files.is_complete(path):
        raise ToxctlError(
            f"{path} is complete: `fab prune` removes what is no longer needed", "complete"
        )
    if not os.path.isdir(path):
        return False
    Protection(config).require_free(path, "is not removed")
    shutil.rmtree(path)
    return True


def discard_dump(config: Config, collection: str) -> bool:
    """Remove an uploaded dump; return whether it existed.

    Raises:
        ToxctlError: kind `usage`, for a name that is a path.
    """
    if os.path.basename(collection) != collection or collection in ("", ".", ".."):
        raise ToxctlError(f"{collection!r} is not the name of a collection", "usage")
    path = os.path.join(config.dumps_dir, collection)
    if not os.path.lexists(path):
        return False
    shutil.rmtree(path)
    return True


def discard_upload(config: Config, path: str) -> bool:
    """Remove an upload; return whether it existed."""
    return incoming.remove_part(config, path)
