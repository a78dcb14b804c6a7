"""What happens to a text before the tokenizer's own rules: one step, named in the manifest.

`keras` changes nothing, as models of others need it. `unicode` writes what people type in the plain
letters, quotes and blanks that a vocabulary of English comments has, so that a no-break space or a
curly quote hides no word. Standard library only: training, `build-model` and the service share it.

Sources: Unicode Standard Annex 15 (NFKC, and its Stream-Safe limit of marks), Unicode Technical
Standard 39 (`confusables.txt`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Literal, get_args

Normalization = Literal["keras", "unicode"]
NORMALIZATIONS: tuple[Normalization, ...] = get_args(Normalization)

# Straight quotes for curly ones, primes, accents that stand alone, modifier letters, guillemets:
# before NFKC, which would make a blank and a mark of an acute accent.
_QUOTES = {
    **dict.fromkeys(map(ord, "‘’‚‛′‵ʼʹʻˈ´＇｀՚ꞌ"), "'"),  # noqa: RUF001 (meant)
    **dict.fromkeys(map(ord, "“”„‟″‶«»〝〞＂"), '"'),  # noqa: RUF001 (meant)
}
# Two Arabic phrases that NFKC makes 18 and 8 characters of: a text must not grow twentyfold.
_PHRASES = (0xFDFA, 0xFDFB)
_HYPHENS = (0x2010, 0x2011)
# What has no width of its own beside the format characters (Cf): a joiner of marks, fillers of
# Hangul, vowels of Khmer that are not shown, variation selectors, and the marks of no script of
# their own that NFKC makes one with no letter, such as the frame of a keycap.
_INVISIBLE = frozenset(
    (
        *(0x34F, 0x115F, 0x1160, 0x3164, 0xFFA0, 0x17B4, 0x17B5),
        *(*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)),
        *(*range(0x1AB0, 0x1B00), *range(0x1DC0, 0x1E00)),
        *(*range(0x20D0, 0x2100), *range(0xFE20, 0xFE30)),
    )
)
_MARKS = range(0x300, 0x370)
# Cyrillic and Greek letters that look like Latin ones (UTS 39); small letters whose capitals do
# count as well, since the tokenizer makes them small.
_LOOK_ALIKES = str.maketrans(
    "аеёіјкмнорѕстухһԁԛԝАВЕЁІЈКМНОРЅСТУХαεικνορτυχΑΒΕΗΙΚΜΝΟΡΤΥΧΖ",
    "aeeijkmhopsctyxhdqwABEEIJKMHOPSCTYXaeikvoptuxABEHIKMNOPTYXZ",
)
_LATIN = re.compile(r"[A-Za-z]")
_CYRILLIC_OR_GREEK = re.compile(r"[\u0370-\u052f]")
# From a word's start: a scan of the rest at every letter would take quadratic time.
_MIXED_WORD = re.compile(r"\b(?=\w*[A-Za-z])(?=\w*[\u0370-\u052f])\w+")
# NFKC sorts marks in quadratic time, so UAX 15 calls a text stream-safe that has at most 30 in a
# row. No character has more than three, so a run of eight and the letter before it are safe.
_MOST_MARKS = 30
_RUN_OF_MARKS = re.compile(r"[^\w\x00-\x7f][^\w\x00-\x7f]{8,}")  # a class first: found quickly
# The two letters that NFKC makes marks of.
_HALF_WIDTH_MARKS = {0xFF9E: "\u3099", 0xFF9F: "\u309a"}
# Entries of a table; a text with every character of Unicode would make them take 100 MB.
_MOST_ENTRIES = 4096
_MOST_REPLACED = 64


class _Table(dict[int, str]):
    """A table for `str.translate` that works out a character when it first occurs."""

    def __init__(self, start: Mapping[int, str], work_out: Callable[[str], str]) -> None:
        super().__init__(start)
        self._work_out = work_out

    def __missing__(self, code: int) -> str:
        made = self._work_out(chr(code))
        if len(self) < _MOST_ENTRIES:
            self[code] = made
        return made


def _visible(character: str) -> str:
    """A character, or nothing for one without a width of its own."""
    return "" if unicodedata.category(character) == "Cf" else character


def _plain(character: str) -> str:
    """A character after NFKC: itself, or a blank for what separates words."""
    kind = unicodedata.category(character)
    if character < "\x80":
        return " " if kind == "Cc" else character
    # Blanks, punctuation, symbols; and controls, private use, halves of a pair, and characters that
    # this Unicode version does not have, which are emoji more often than anything else.
    return " " if kind[0] in "ZPSC" else character


_BEFORE_NFKC = _Table(
    {
        **_QUOTES,
        **_HALF_WIDTH_MARKS,
        **dict.fromkeys(_PHRASES, " "),
        **dict.fromkeys(_INVISIBLE, ""),
    },
    _visible,
)
# NFKC makes quotes of its own, of a triple prime. In small letters, İ would be i and a mark.
_AFTER_NFKC = _Table(
    {**_QUOTES, **dict.fromkeys(_HYPHENS, "-"), **dict.fromkeys(_MARKS, ""), 0x130: "I"}, _plain
)


def normalize(text: str) -> str:
    """`text` as `unicode` leaves it; never raises, and leaves its own results as they are.

    ASCII stays, except control characters, which become blanks. Of other texts, in this order:
    quotes become straight; format characters and variation selectors fall away; NFKC (full-width
    letters become plain); blanks, punctuation and symbols become blanks, and combining marks fall
    away; Cyrillic and Greek look-alikes become Latin in words that have Latin letters as well.
    Letters keep their case, for the tokenizer's `lower`.
    """
    if text.isascii():
        return text if text.isprintable() else text.translate(_AFTER_NFKC)
    text = _RUN_OF_MARKS.sub(_stream_safe, _mapped(text, _BEFORE_NFKC))
    while True:
        text = _mapped(unicodedata.normalize("NFKC", text), _AFTER_NFKC)
        # What fell away may have stood between two characters that are one together.
        if unicodedata.is_normalized("NFKC", text):
            mixed = _LATIN.search(text) and _CYRILLIC_OR_GREEK.search(text)
            return _MIXED_WORD.sub(_latin, text) if mixed else text


def _mapped(text: str, table: _Table) -> str:
    """`text.translate(table)`, several times as fast for few different characters."""
    # Letters and numbers that are not in the table from the start stay.
    others = [
        character
        for character in set(text)
        if not " " <= character <= "~" and (not character.isalnum() or ord(character) in table)
    ]
    if len(others) > _MOST_REPLACED:
        return text.translate(table)
    for character in others:
        # What a character becomes is replaced by nothing else, so their order does not matter.
        text = text.replace(character, table[ord(character)])
    return text


def _latin(word: re.Match[str]) -> str:
    return word.group().translate(_LOOK_ALIKES)


def _stream_safe(run: re.Match[str]) -> str:
    """A run with at most 30 marks in a row, counted as NFKC takes characters apart."""
    if not any(any(_marks_of(character)) for character in set(run.group())):
        return run.group()
    kept, marks = [], 0
    before = run.string[max(0, run.start() - 1) : run.start()]
    for character in before + run.group():
        for is_mark in _marks_of(character):
            marks = marks + 1 if is_mark else 0
        if marks <= _MOST_MARKS:
            kept.append(character)
    return "".join(kept)[len(before) :]


def _marks_of(character: str) -> list[bool]:
    """Which of the parts are marks that NFKC takes a character apart into."""
    return [bool(unicodedata.combining(part)) for part in unicodedata.normalize("NFKD", character)]
