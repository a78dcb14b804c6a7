"""Words of toxic comments, and the ways in which people spell them to hide them from a filter."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from controller.model_train.vocabulary import count_words
from sample_model.identity import words_of

__all__ = ["SpellOut", "compounds", "hidden_forms", "telling_words"]

_LEAST_LOG_ODDS, _LEAST_TEXTS, _LEAST_LETTERS, _MOST_WORDS = 1.2, 8, 4, 600
_SPELLED_OUT = 0.03
_SIGNS = (
    *(("i", "1"), ("o", "0"), ("e", "3"), ("a", "4"), ("s", "5"), ("l", "1"), ("t", "7")),
    ("i", "l"),
)
_USUAL_SIGNS = str.maketrans(dict[str, str | int | None](_SIGNS[:5]))
_ALL_SIGNS = str.maketrans(dict[str, str | int | None](_SIGNS[:-1]))
_VOWELS = "aeiou"
_REPEATS = (3, 4, 5)
# The words that tell most; of others, letters are not repeated more than twice.
_REPEATED_WORDS = 250
# Words that are written together with others, and what stands before and behind them.
_STEMS, _PAIRED, _LONGEST_STEM = 100, 30, 7
_BEHIND = words_of(
    """s es er ers ing in ed y ie ies ish ness tard tards face faces head heads hole
    holes hat hats bag bags wit you u off up on me him her it them this that load
    storm lover boy boys girl brain fest ville job man o a z ya yall inc wiki"""
)
_BEFORE = words_of(
    """mother mutha mutherf dumb stupid ugly fat big dip cluster mind bull horse mega
    super total little sonofa sonova you ur the a my un"""
)


def telling_words(tokens: Sequence[Sequence[str]], toxic: NDArray[np.bool_]) -> list[str]:
    """Words by which toxic comments are told from others, the clearest first."""
    rude = count_words(one for one, is_toxic in zip(tokens, toxic, strict=True) if is_toxic)
    plain = count_words(one for one, is_toxic in zip(tokens, toxic, strict=True) if not is_toxic)
    odds = (len(toxic) - toxic.sum()) / max(1, toxic.sum())
    found = {
        word: math.log((count + 0.5) / (plain[word] + 0.5) * odds)
        for word, count in rude.items()
        if count >= _LEAST_TEXTS
        and len(word) >= _LEAST_LETTERS
        and word.isalpha()
        and word.isascii()
    }
    ordered = sorted(found, key=lambda word: (-found[word], word))
    return [word for word in ordered if found[word] > _LEAST_LOG_ODDS][:_MOST_WORDS]


class SpellOut:
    """A change of tokens: in some texts, one of the words is written as single letters."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = frozenset(words)

    def __call__(self, random: np.random.Generator, tokens: list[str]) -> list[str]:
        """The tokens, changed or not."""
        if random.random() >= _SPELLED_OUT:
            return tokens
        places = [place for place, token in enumerate(tokens) if token in self._words]
        if not places:
            return tokens
        place = places[int(random.integers(len(places)))]
        return [*tokens[:place], *tokens[place], *tokens[place + 1 :]]


def hidden_forms(words: Sequence[str]) -> dict[str, str]:
    """Other spellings of words, with the word that each is of; those of the first words first."""
    found: dict[str, str] = {}
    for number, word in enumerate(words):
        for form in _forms(word, number < _REPEATED_WORDS):
            if form != word:
                found.setdefault(form, word)
    own = set(words)
    return {form: word for form, word in found.items() if form not in own}


def compounds(words: Sequence[str]) -> dict[str, str]:
    """Words written together with others, with the word that each is of."""
    stems = [word for word in words if len(word) <= _LONGEST_STEM][:_STEMS]
    found: dict[str, str] = {}
    for stem in stems:
        for form in (*(stem + part for part in _BEHIND), *(part + stem for part in _BEFORE)):
            found.setdefault(form, stem)
    for first in stems[:_PAIRED]:
        for second in stems[:_PAIRED]:
            found.setdefault(first + second, first)
    own = set(words)
    return {form: word for form, word in found.items() if form not in own}


def _forms(word: str, repeated: bool) -> Iterator[str]:
    for letter, sign in _SIGNS:
        yield word.replace(letter, sign)
        for place in (place for place, one in enumerate(word) if one == letter):
            yield word[:place] + sign + word[place + 1 :]
    for signs in (_USUAL_SIGNS, _ALL_SIGNS):
        yield word.translate(signs)
    for place, letter in enumerate(word):
        if letter in _VOWELS and place:
            yield word[:place] + word[place + 1 :]
        yield word[:place] + letter + word[place:]
        if repeated:
            for times in _REPEATS:
                yield word[:place] + letter * times + word[place + 1 :]
