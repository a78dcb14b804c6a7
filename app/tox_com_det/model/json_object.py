"""A JSON object that is read key by key, with errors that name the key and what was expected."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tox_com_det.model.manifest_parts import ManifestError

_SHOWN_VALUE = 60
T = TypeVar("T", bound=str)


class JsonObject:
    """A JSON object with the given keys and no other.

    Every method that reads a key raises ManifestError where the value is not in its form.
    """

    def __init__(self, data: Any, path: str, keys: str, optional: str = "") -> None:
        """Check the keys.

        Args:
            data: any parsed JSON.
            path: of `data` in the file, such as `embedding`; "" for the whole of it.
            keys: the keys it must have, separated by blanks.
            optional: the keys that it may have.

        Raises:
            ManifestError: not an object, a key is missing, or a key is unknown.
        """
        where = path or "manifest"
        if not isinstance(data, dict):
            raise ManifestError(f"{where} is not a JSON object")
        expected = set(keys.split())
        for key in sorted(expected - data.keys()):
            raise ManifestError(f"{where}: key {key!r} is missing")
        for key in sorted(map(str, data.keys() - expected - set(optional.split()))):
            raise ManifestError(f"{where}: unknown key {shown(key)}")
        self._data = data
        self._path = path

    def __contains__(self, key: str) -> bool:
        return key in self._data

    def path(self, key: str) -> str:
        """Path of a key in the file, such as `embedding.count`."""
        return f"{self._path}.{key}" if self._path else key

    def error(self, key: str, expected: str) -> ManifestError:
        """The error of a key whose value is not what was expected."""
        return ManifestError(f"{self.path(key)} is {shown(self._data[key])}, expected {expected}")

    def value(self, key: str, valid: Callable[[Any], bool], expected: str) -> Any:
        """The value of a key that passes a check."""
        value = self._data[key]
        if not valid(value):
            raise self.error(key, expected)
        return value

    def integer(self, key: str, low: int, high: int = 2**31 - 1) -> int:
        """An integer from `low` to `high`."""
        value: int = self.value(
            key, lambda v: is_integer(v) and low <= v <= high, f"an integer from {low} to {high}"
        )
        return value

    def matching(self, key: str, pattern: str) -> str:
        """A string that a regular expression matches as a whole."""
        value: str = self.value(
            key,
            lambda v: isinstance(v, str) and re.fullmatch(pattern, v) is not None,
            f"a string that matches {pattern}",
        )
        return value

    def string(self, key: str, empty: bool = True, null: bool = False) -> Any:
        """A string; `empty` allows "", `null` allows null."""
        return self.value(
            key,
            lambda v: (null and v is None) or (is_text(v) and (empty or v != "")),
            ("null or " if null else "") + "a string" + ("" if empty else " that is not empty"),
        )

    def boolean(self, key: str) -> bool:
        """True or false."""
        value: bool = self.value(key, lambda v: isinstance(v, bool), "true or false")
        return value

    def mapping(self, key: str) -> dict[str, Any]:
        """An object with any keys."""
        value: dict[str, Any] = self.value(key, lambda v: isinstance(v, dict), "an object")
        return value

    def items(self, key: str, low: int = 0) -> list[Any]:
        """An array of at least `low` items."""
        value: list[Any] = self.value(
            key,
            lambda v: isinstance(v, list) and len(v) >= low,
            f"an array of at least {low} items",
        )
        return value

    def one_of(self, key: str, values: Sequence[T]) -> T:
        """One of these strings."""
        found = self.value(key, lambda v: isinstance(v, str) and v in values, " or ".join(values))
        return values[values.index(found)]

    def child(self, key: str, keys: str, optional: str = "") -> JsonObject:
        """The object of a key, with the given keys."""
        return JsonObject(self._data[key], self.path(key), keys, optional)


def is_text(value: Any) -> bool:
    """Whether a value is a string that UTF-8 can hold: JSON also allows half a character."""
    return isinstance(value, str) and value.encode("utf-8", "ignore").decode("utf-8") == value


def shown(value: Any) -> str:
    """A parsed JSON value as an error quotes it: in one line, and not all of a long one."""
    try:
        text = repr(value)
    except ValueError:  # Python converts no integer of more than 4300 digits
        return "a number with thousands of digits"
    return text if len(text) <= _SHOWN_VALUE else text[: _SHOWN_VALUE - 3] + "..."


def is_integer(value: Any) -> bool:
    """Whether a parsed JSON value is an integer; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_finite(value: Any) -> bool:
    """Whether a parsed JSON value is a number that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a JSON integer beyond any float
        return False
