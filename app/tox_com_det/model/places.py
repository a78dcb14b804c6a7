"""Where the tokens of a text are in it, as far as that can be told."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tox_com_det.model.tokenizer import TokenizerRules

# A place is `(begin, end)`, end exclusive, in characters (code points) of the text.
Place = tuple[int, int]

# Tokens of a text whose places are told; the sample model's 16 windows hold 1,225 words.
MOST_TOKENS = 2000
_CHUNKS_PER_REST = 64
_CHUNK = re.compile(r"\S+")
_PART = re.compile(r"\w+|[^\w\s]+")


def places(
    rules: TokenizerRules,
    text: str,
    tokens: Sequence[str],
    from_end: bool,
    rest: Callable[[], None] = lambda: None,
) -> list[Place] | None:
    """The place of each token; None where the text read in parts has other tokens, or too many.

    The tokenizer and the step before it keep no positions, and may change lengths. So the text is
    read again in parts: words where they give the same tokens, otherwise what stands between two
    blanks, whose tokens then share a place.

    Args:
        rules: the model's.
        text: the whole text.
        tokens: those of its tokens that the model read.
        from_end: whether they are at the end of the text, and not at its start.
        rest: called between two steps of the work.
    """
    if len(tokens) > MOST_TOKENS:
        return None
    if rules.char_level:
        if len(rules.tokens(text)) != len(text):
            return None
        first = len(text) - len(tokens) if from_end else 0
        return [(number, number + 1) for number in range(first, first + len(tokens))]
    chunks = list(_CHUNK.finditer(text))
    found: list[tuple[str, Place]] = []
    for number, chunk in enumerate(reversed(chunks) if from_end else chunks):
        if len(found) >= len(tokens):
            break
        if number % _CHUNKS_PER_REST == 0:
            rest()
        parts = _parts(rules, chunk)
        found += reversed(parts) if from_end else parts
    found = found[: len(tokens)]
    if from_end:
        found.reverse()
    if [token for token, _ in found] != list(tokens):
        return None
    return [place for _, place in found]


def _parts(rules: TokenizerRules, chunk: re.Match[str]) -> list[tuple[str, Place]]:
    whole = rules.tokens(chunk.group())
    if not chunk.group().isalnum():
        parts = [
            (token, part.span())
            for part in _PART.finditer(chunk.string, *chunk.span())
            for token in rules.tokens(part.group())
        ]
        if [token for token, _ in parts] == whole:
            return parts
    return [(token, chunk.span()) for token in whole]
