"""Sentences of a comment, with their positions as Google counts them: UTF-16 code units."""

from __future__ import annotations

import re
from typing import NamedTuple

# The end of a sentence: its marks, closing quotes and brackets, then a blank; marks that East Asian
# scripts write without a blank; or the end of a line. Marks are read from the first of a run on: a
# try at each of them, in a run without a blank behind it, would take quadratic time.
_END = re.compile(
    r"(?<![.!?\u2026])[.!?\u2026]+[\"'\u2019\u201d)\]]*(?=\s)|[\u3002\uff01\uff1f]+|[\r\n]+"
)


class Span(NamedTuple):
    """A part of a text: `begin` and `end` (exclusive) in UTF-16 code units."""

    begin: int
    end: int
    text: str


def utf16_length(text: str) -> int:
    """The length of a text in UTF-16 code units; half of a pair counts as one."""
    return len(text) + sum(character > "\uffff" for character in text)


def whole(text: str) -> Span:
    """The span of the whole text."""
    return Span(0, utf16_length(text), text)


def sentences(text: str, most: int) -> list[Span]:
    """The sentences of a text in order, without the blanks around them.

    Args:
        text: the comment; not blank.
        most: spans; with more sentences, neighbours share one.
    """
    parts = [part for part in _parts(text) if text[part[0] : part[1]].strip()]
    group = -(-len(parts) // most)
    merged = [
        (parts[first][0], parts[min(first + group, len(parts)) - 1][1])
        for first in range(0, len(parts), group)
    ]
    spans: list[Span] = []
    position, units = 0, 0
    for start, end in merged:
        whole_part = text[start:end]
        start += len(whole_part) - len(whole_part.lstrip())
        sentence = text[start:end].rstrip()
        units += utf16_length(text[position:start])
        length = utf16_length(sentence)
        spans.append(Span(units, units + length, sentence))
        units += length
        position = start + len(sentence)
    return spans


def _parts(text: str) -> list[tuple[int, int]]:
    ends = [match.end() for match in _END.finditer(text)]
    starts = [0, *ends]
    return list(zip(starts, [*ends, len(text)], strict=True))
