"""Fields of a request's JSON, read as leniently as Google reads them.

Each function raises GoogleError, 400, for a value that cannot be read as its type.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tox_com_det.perspective.errors import bad_field


def read_object(value: Any, name: str, names: bool = True) -> dict[str, Any]:
    """An object, {} for null; its fields in camel case, as some clients send snake case.

    `names`: whether its keys are names of fields; otherwise they stay as they are.
    """
    if value is None and name:
        return {}
    if not isinstance(value, dict):
        raise bad_field(name or "request", "an object")
    if not names:
        return value
    return {_camel(key): item for key, item in value.items()}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in others)


def read_string(message: Mapping[str, Any], name: str) -> str | None:
    """A text field, None if it is not set."""
    value = message.get(name)
    if value is not None and not isinstance(value, str):
        raise bad_field(name, "TYPE_STRING")
    return value


def read_boolean(message: Mapping[str, Any], name: str) -> bool:
    """A boolean field, also as a word; False if it is not set."""
    value = message.get(name)
    if value in (None, "false"):
        return False
    if value == "true":
        return True
    if not isinstance(value, bool):
        raise bad_field(name, "TYPE_BOOL")
    return value


def read_number(value: Any, name: str) -> float | None:
    """A finite number, also as a text; None for null."""
    if value is None:
        return None
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        raise bad_field(name, "TYPE_FLOAT")
    return number


def read_integer(message: Mapping[str, Any], name: str, path: str) -> int | None:
    """An int32 of 0 or more; `path` names it in the error."""
    number = read_number(message.get(name), path)
    if number is None:
        return None
    if number != int(number) or not 0 <= number < 2**31:
        raise bad_field(path, "TYPE_INT32")
    return int(number)
