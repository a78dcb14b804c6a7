"""JSON without the parts that Python's reader accepts and the standard does not."""

from __future__ import annotations

import json
from typing import Any

_SHOWN_KEY = 40
# Python refuses longer integers, in words about a function of its own.
_MOST_DIGITS = 4300


def loads(text: str) -> Any:
    """Parse JSON; a key that occurs twice, NaN, Infinity and integers too long to read are errors.

    Raises:
        ValueError: not JSON; `json.JSONDecodeError` where the position is known.
        RecursionError: too deeply nested.
    """
    if text.startswith("\ufeff"):
        raise json.JSONDecodeError("a byte order mark (BOM) is not part of JSON", text, 0)
    return _DECODER.decode(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"key {key[:_SHOWN_KEY]!r} occurs twice")
        result[key] = value
    return result


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def integer(digits: str) -> int:
    """An integer of JSON; `parse_int` of readers that take what this one refuses.

    Raises:
        ValueError: it is too long to read.
    """
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a number has {len(digits)} digits, the limit is {_MOST_DIGITS}")
    return int(digits)


# Made once: `json.loads` with such functions makes one for every text.
_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_constant, parse_int=integer)
