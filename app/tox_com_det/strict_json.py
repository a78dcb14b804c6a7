"""JSON without the parts that Python's reader accepts and the standard does not."""

from __future__ import annotations

import json
from typing import Any

_SHOWN_KEY = 40


def loads(text: str) -> Any:
    """Parse JSON; a key that occurs twice, NaN and Infinity are errors.

    Raises:
        ValueError: not JSON; `json.JSONDecodeError` where the position is known.
        RecursionError: too deeply nested.
    """
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_constant)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"key {key[:_SHOWN_KEY]!r} occurs twice")
        result[key] = value
    return result


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")
