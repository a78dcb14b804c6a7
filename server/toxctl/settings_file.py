"""Reads a file of settings that a role writes beside server.json, such as tls.json."""

from __future__ import annotations

import os
from typing import Any

from toxctl.errors import ToxctlError
from toxctl.files import load_json

__all__ = ["beside", "read"]


def beside(server_json: str, name: str) -> str:
    """Return the path of the file of that name beside a server.json; it need not exist."""
    return os.path.join(os.path.dirname(os.path.abspath(server_json)), name)


def read(path: str, version: int, repair: str) -> dict[str, Any] | None:
    """Return the content of the file; None if there is none.

    Args:
        path: of the file.
        version: its `format`.
        repair: the command that writes it again.

    Raises:
        ToxctlError: kind `config`; it cannot be read, or is in another format.
    """
    try:
        with open(path, encoding="utf-8") as file:
            data = load_json(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise ToxctlError(f"{path} cannot be read ({error}): {repair}", "config") from None
    if not isinstance(data, dict) or data.get("format") != version:
        raise ToxctlError(f"{path} is not in format {version}: {repair}", "config")
    return data
