"""What a format of a value is, and how formats are made."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

__all__ = ["Format", "matching", "number", "optional", "quoted", "whole"]


@dataclass(frozen=True)
class Format:
    """What a value must look like.

    Attributes:
        words: with an example, as the end of "is 'x': it must be ...".
        accepts: whether a text has the format. Numbers are passed as text.
        empty: whether an empty text is a value too, and an empty line of YAML.
        quoted: whether a number is refused: YAML reads 3.10 as 3.1, and 007 as 7.
        hint: what was meant by a text that is refused, to be put behind the words.
    """

    words: str
    accepts: Callable[[str], bool]
    empty: bool = False
    quoted: bool = False
    hint: Callable[[str], str] = lambda _: ""


def matching(pattern: str, words: str) -> Format:
    """A text that a regular expression matches as a whole."""
    compiled = re.compile(pattern)
    return Format(words, lambda text: compiled.fullmatch(text) is not None)


def optional(one: Format) -> Format:
    """A format or nothing."""
    return replace(one, words=one.words + ', or "" for none', empty=True)


def quoted(one: Format) -> Format:
    """A format of texts that YAML must not read as numbers."""
    return replace(one, quoted=True)


Number = TypeVar("Number", int, float)


def _between(pattern: str, kind: Callable[[str], Number], low: Number, high: Number) -> Format:
    """A number within limits."""
    form = re.compile(pattern)

    def accepts(text: str) -> bool:
        if form.fullmatch(text) is None:
            return False
        return low <= kind(text) <= high

    kinds = "a whole number" if kind is int else "a number"
    return Format(f"{kinds}, {low} to {high}", accepts)


def whole(low: int, high: int = 10**15) -> Format:
    """A whole number within limits."""
    return _between(r"-?[0-9]{1,16}", int, low, high)


def number(low: float, high: float) -> Format:
    """A number within limits."""
    return _between(r"[0-9]{1,6}(\.[0-9]{1,6})?", float, low, high)
