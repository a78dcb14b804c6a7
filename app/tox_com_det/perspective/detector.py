"""The language of a comment, by fastText and its model of 176 languages (see lid.176.txt)."""

from __future__ import annotations

from pathlib import Path

import fasttext

MODEL = Path(__file__).with_name("lid.176.ftz")
_LABEL = "__label__"
# Of English comments below 60 characters 0.2 % are taken for another language from here on, and 2 %
# from 0.5 on (bench/language_detection.py).
_LEAST_PROBABILITY = 0.8
# More of a comment changes nothing and takes time.
_MOST_CHARACTERS = 500


class Detector:
    """Names a language where it is sure. Safe to use from several threads."""

    def __init__(self) -> None:
        """Load the model. Raises ValueError: it is missing or damaged."""
        self._model = fasttext.load_model(str(MODEL))

    def languages(self, text: str) -> tuple[str, ...]:
        """The languages that were detected, the likeliest first; () where none is likely enough.

        Args:
            text: a comment without halves of surrogate pairs.
        """
        part = " ".join(text[:_MOST_CHARACTERS].split())
        if part.isupper():  # the model knows few words in capitals
            part = part.lower()
        if not is_language(part):
            return ()
        labels, _ = self._model.predict(part, k=1, threshold=_LEAST_PROBABILITY)
        return tuple(label.removeprefix(_LABEL) for label in labels)


def is_language(text: str) -> bool:
    """Whether a text has a letter."""
    return any(character.isalpha() for character in text)
