"""One insult, written as people write it to pass a filter, or as programs change it."""

from __future__ import annotations

__all__ = ["TRICKS"]

_POLITE = "thank you for the careful edit to this article and for the sources that you have added "

# What it is called, and the text.
TRICKS: tuple[tuple[str, str], ...] = (
    ("as it is", "you are an idiot"),
    ("no-break space", "you are an\u00a0idiot"),
    ("CR LF of an HTML form", "you are an\r\nidiot\r\n"),
    ("em space", "you are an\u2003idiot"),
    ("full-width letters", "you are an \uff49\uff44\uff49\uff4f\uff54"),
    ("curly quotes", "you are an \u201cidiot\u201d"),
    ("em dash without blanks", "you are an idiot\u2014go away"),
    ("ellipsis character", "you are an idiot\u2026"),
    ("ideographic full stop", "you are an idiot\u3002"),
    ("emoji at the word", "you are an idiot\U0001f621"),
    ("byte order mark", "\ufeffidiot"),
    ("zero-width joiner", "you are an id\u200diot"),
    ("repeated letters", "you are an idiooooot"),
    ("blanks between the letters", "you are an i d i o t"),
    ("one digit (id1ot)", "you are an id1ot"),
    ("all digits (1d10t)", "you are an 1d10t"),
    ("Cyrillic letters among Latin ones", "you are an idi\u043et"),
    ("a hundred polite words behind it", "you are an idiot " + _POLITE * 7),
)
