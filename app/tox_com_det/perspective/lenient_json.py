"""Bodies as clients of Google send them: packed, with a byte order mark, and not quite JSON."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pyjson5

from tox_com_det.perspective.errors import GoogleError

_MOST_NESTED = 64
_GZIP = 16 + zlib.MAX_WBITS


def unpack(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """Undo Content-Encoding.

    Args:
        body: as received.
        encoding: the header, or "".
        max_bytes: of the result.

    Raises:
        GoogleError: 415 another encoding than gzip, 400 not gzip, 413 larger than `max_bytes`.
    """
    if encoding.strip().lower() in ("", "identity"):
        return body
    if encoding.strip().lower() not in ("gzip", "x-gzip"):
        raise GoogleError(415, "Unsupported Content-Encoding: send gzip or none")
    unpacker = zlib.decompressobj(_GZIP)
    try:
        data = unpacker.decompress(body, max_bytes + 1)
    except zlib.error:
        raise GoogleError(400, "The body is not valid gzip") from None
    if len(data) > max_bytes:
        raise GoogleError(413, f"The unpacked body is larger than {max_bytes} bytes")
    if not unpacker.eof:
        raise GoogleError(400, "The body is not valid gzip: it is truncated")
    return data


def parse(body: bytes) -> Any:
    """Parse JSON or JSON5: unquoted keys and trailing commas of Google's own quickstart.

    Raises:
        GoogleError: 400, neither of them.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _invalid_payload("it is not UTF-8") from None
    if not text.strip():
        raise _invalid_payload("it is empty")
    try:
        return json.loads(text)
    except RecursionError:
        raise _invalid_payload("it is too deeply nested") from None
    except ValueError:
        return _parse_json5(text)


def _parse_json5(text: str) -> Any:
    try:
        return pyjson5.decode(text, _MOST_NESTED)
    except pyjson5.Json5NestingTooDeep:
        raise _invalid_payload("it is too deeply nested") from None
    except (pyjson5.Json5Exception, ValueError, RecursionError, OverflowError):
        # Their own words repeat the text, which may be a comment.
        raise _invalid_payload("it is not JSON") from None


def _invalid_payload(reason: str) -> GoogleError:
    return GoogleError(400, f"Invalid JSON payload received: {reason}")
