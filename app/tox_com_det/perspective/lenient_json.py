"""Bodies as clients of Google send them: packed, with a byte order mark, and not quite JSON."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pyjson5

from tox_com_det.perspective.errors import GoogleError

_MOST_NESTED = 64
_GZIP = 16 + zlib.MAX_WBITS
# A byte of gzip becomes so many at most.
_MOST_UNPACKED = 1032


def unpack(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """Undo Content-Encoding.

    Args:
        body: as received.
        encoding: the header, or "".
        max_bytes: of the result.

    Raises:
        GoogleError: 415 another encoding than gzip, 400 not gzip, 413 larger than `max_bytes`.
    """
    return _unzip(body, max_bytes) if _is_packed(encoding) else body


class PartsUnpacker:
    """Undoes Content-Encoding of the parts of a batch, which have the limit of one body together.

    What fails counts as well: with as much as its bytes can become at most.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._left = max_bytes

    def __call__(self, body: bytes, encoding: str) -> bytes:
        """The unpacked part.

        Raises:
            GoogleError: see `unpack`; 413 for a part with which all are larger than `max_bytes`.
        """
        if not _is_packed(encoding):
            return body
        try:
            data = _unzip(body, self._left)
        except GoogleError as error:
            self._left = max(0, self._left - _MOST_UNPACKED * len(body))
            if error.code != 413:
                raise
            message = f"The unpacked parts are larger than {self._max_bytes} bytes: send fewer"
            raise GoogleError(413, message) from None
        self._left -= len(data)
        return data


def _is_packed(encoding: str) -> bool:
    encoding = encoding.strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise GoogleError(415, "Unsupported Content-Encoding: send gzip or none")
    return encoding.endswith("gzip")


def _unzip(body: bytes, max_bytes: int) -> bytes:
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
