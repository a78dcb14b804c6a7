"""Ways in which an insult hides from a model, meant or not, and what each does to a score.

Most are characters that word processors, phones and HTML forms make of plain ones; the others are
letters changed by hand, and polite words behind the insult.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import cycle, islice
from typing import NamedTuple

from controller.model_build.golden_texts import POLITE
from tox_com_det.model.manifest import Manifest

POLITE_WORDS = 100
_FULL_WIDTH = {0x20: 0x3000, **{code: code + 0xFEE0 for code in range(0x21, 0x7F)}}
_DIGITS = str.maketrans("aeios", "43105")
_CYRILLIC = str.maketrans("aceiopxy", "\u0430\u0441\u0435\u0456\u043e\u0440\u0445\u0443")
_VOWELS = "aeiou"

# Toxicity of each text, from 0 to 1.
Score = Callable[[Sequence[str]], Sequence[float]]


class Trick(NamedTuple):
    """A trick's name, and the text that it makes."""

    name: str
    text: str


class TrickScores(NamedTuple):
    """A trick, and its text's toxicity with the author's rules and with the model's own."""

    name: str
    text: str
    before: float
    after: float


def tricks(text: str) -> list[Trick]:
    """The seventeen tricks, each applied to a text whose last word is the insult.

    Args:
        text: words of small ASCII letters with blanks between them, such as `you are an idiot`.

    Raises:
        ValueError: it has no words, or others.
    """
    words = text.split(" ")
    if not all(word.isascii() and word.isalpha() and word.islower() for word in words):
        raise ValueError(f"{text!r} has other words than small ASCII letters, or no blank between")
    insult = words[-1]

    def last(changed: str) -> str:
        return " ".join([*words[:-1], changed])

    return [
        Trick("no-break space", text.replace(" ", "\u00a0")),
        Trick("CR LF from HTML forms", text.replace(" ", "\r\n")),
        Trick("em space", text.replace(" ", "\u2003")),
        Trick("full-width letters", text.translate(_FULL_WIDTH)),
        Trick("curly quotes", last(f"\u201c{insult}\u201d")),
        Trick("glued em dash", text.replace(" ", "\u2014")),
        Trick("ellipsis character", f"{text}\u2026"),
        Trick("ideographic full stop", f"{text}\u3002"),
        Trick("emoji glued to a word", f"{text}\U0001f921"),
        Trick("byte order mark", last(f"\ufeff{insult}")),
        Trick("zero-width joiner", last("\u200d".join(insult))),
        Trick("letter repetition", last(_repeated(insult))),
        Trick("blanks between letters", last(" ".join(insult))),
        Trick("one digit", last(_one_digit(insult))),
        Trick("digits for letters", last(insult.translate(_DIGITS))),
        Trick("mixed Cyrillic letters", last(insult[0] + insult[1:].translate(_CYRILLIC))),
        Trick(
            f"{POLITE_WORDS} polite words behind",
            " ".join([text, *islice(cycle(POLITE.split(" ")), POLITE_WORDS)]),
        ),
    ]


def _repeated(word: str) -> str:
    """The word with its last vowel five times, or its last letter."""
    place = max((word.rfind(vowel) for vowel in _VOWELS), default=-1)
    place = place if place >= 0 else len(word) - 1
    return word[:place] + word[place] * 5 + word[place + 1 :]


def _one_digit(word: str) -> str:
    """The word with a digit for one of its letters: the middle one of those that have one."""
    places = [place for place, letter in enumerate(word) if ord(letter) in _DIGITS]
    if not places:
        return word
    place = places[(len(places) - 1) // 2]
    return word[:place] + word[place].translate(_DIGITS) + word[place + 1 :]


def as_the_author(manifest: Manifest) -> Manifest:
    """The same model with Keras' rules alone: no normalization, long texts are cut.

    For a `Predictor` of the same head and vectors; its version is not that of its content.
    """
    return replace(
        manifest,
        tokenizer=replace(manifest.tokenizer, normalization="keras"),
        sequence=replace(manifest.sequence, windows=None),
    )


def score_tricks(text: str, before: Score, after: Score) -> list[TrickScores]:
    """The scores of the plain text, then of each trick with it.

    Args:
        text: as in `tricks`.
        before: scores with the author's rules, see `as_the_author`.
        after: scores with the model's own.

    Raises:
        ValueError: see `tricks`.
    """
    made = [Trick("none", text), *tricks(text)]
    texts = [one.text for one in made]
    return [
        TrickScores(*one, first, second)
        for one, first, second in zip(made, before(texts), after(texts), strict=True)
    ]


def table(scores: Sequence[TrickScores]) -> str:
    """The scores as a Markdown table, a line for each."""
    lines = ["| trick | text | before | after |", "|---|---|---|---|"]
    lines += (
        f"| {one.name} | `{shown(one.text)}` | {one.before:.3f} | {one.after:.3f} |"
        for one in scores
    )
    return "\n".join(lines) + "\n"


def shown(text: str, most: int = 40) -> str:
    """A text in one line that can be read: blanks of Unicode and characters without width as codes.

    Args:
        text: any text.
        most: characters; a longer text ends with three dots.
    """
    codes = "".join(
        f"<U+{ord(character):04X}>"
        if character != " " and unicodedata.category(character)[0] in "ZC"
        else character
        for character in text[:most]
    )
    return codes + ("..." if len(text) > most else "")
