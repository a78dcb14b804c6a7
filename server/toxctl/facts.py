"""Facts that the service tells Prometheus: when the last deploy was, when the certificate ends.

They are in a file beside server.json that the service reads. They are never read here, and never
worth a failure: what happened has happened whether or not it could be written down.
"""

from __future__ import annotations

import contextlib
import os

from toxctl.files import read_json, write_json

__all__ = ["record"]

FILE = "facts.json"


def record(directory: str, **facts: float) -> None:
    """Add facts, Unix times in seconds, to those in the directory's file."""
    path = os.path.join(directory, FILE)
    found = read_json(path)
    value = {**(found if isinstance(found, dict) else {}), **facts}
    if value == found:
        return
    with contextlib.suppress(OSError):
        write_json(path, value)
