"""Responses as JSON, written by msgspec: forty times as fast as `json`."""

from __future__ import annotations

import json
from typing import Any

import msgspec


def json_bytes(content: Any, pretty: bool = False) -> bytes:
    """JSON in UTF-8; `pretty`: indented, with a line feed at its end."""
    try:
        data = msgspec.json.encode(content)
    except UnicodeEncodeError:
        # Half of a surrogate pair, in a client's own text: only `json` writes it, escaped.
        if pretty:
            return (json.dumps(content, indent=2) + "\n").encode()
        return json.dumps(content, separators=(",", ":")).encode()
    return msgspec.json.format(data, indent=2) + b"\n" if pretty else data
