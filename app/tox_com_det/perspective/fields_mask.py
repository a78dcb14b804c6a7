"""Partial responses: the query parameter `fields`, such as `a/b,c(d,e/*)`."""

from __future__ import annotations

import re
from typing import Any

from tox_com_det.perspective.errors import GoogleError

# Name -> what is selected of its value; None: all of it.
Mask = dict[str, "Mask | None"]

_TOKEN = re.compile(r"[^,/()\s]+|[,/()]")
_MOST_CHARACTERS = 2000
_MOST_NESTED = 50


def parse_mask(text: str) -> Mask:
    """Parse a mask.

    Raises:
        GoogleError: 400, not a mask.
    """
    tokens = _TOKEN.findall(text)
    if len(text) > _MOST_CHARACTERS or "".join(tokens) != "".join(text.split()):
        raise _invalid()
    parser = _Parser(tokens)
    mask = parser.paths(0)
    if parser.tokens:
        raise _invalid()
    return mask


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens[::-1]

    def paths(self, depth: int) -> Mask:
        mask: Mask = {}
        while True:
            _add(mask, *self.path(depth))
            if not self.take(","):
                return mask

    def path(self, depth: int) -> tuple[str, Mask | None]:
        if depth > _MOST_NESTED or not self.tokens or self.tokens[-1] in ",/()":
            raise _invalid()
        name = self.tokens.pop()
        if self.take("/"):
            return name, dict([self.path(depth + 1)])
        if not self.take("("):
            return name, None
        inner = self.paths(depth + 1)
        if not self.take(")"):
            raise _invalid()
        return name, inner

    def take(self, expected: str) -> bool:
        if self.tokens and self.tokens[-1] == expected:
            self.tokens.pop()
            return True
        return False


def _add(mask: Mask, name: str, inner: Mask | None) -> None:
    before = mask.get(name, {})
    if inner is None or before is None:
        mask[name] = None
        return
    merged = dict(before)
    for key, value in inner.items():
        _add(merged, key, value)
    mask[name] = merged


def select(value: Any, mask: Mask | None) -> Any:
    """The parts of a JSON value that a mask selects; of an array, those of each element."""
    if mask is None or not isinstance(value, dict | list):
        return value
    if isinstance(value, list):
        return [select(item, mask) for item in value]
    return {
        key: select(item, mask[key if key in mask else "*"])
        for key, item in value.items()
        if key in mask or "*" in mask
    }


def _invalid() -> GoogleError:
    return GoogleError(400, "Invalid field selection: send fields such as a/b,c(d,e)")
