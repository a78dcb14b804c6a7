"""Find a word index that another tokenizer made than the one that is assumed.

A plain word index does not say whether its Tokenizer kept capitals, which characters separated its
words, or whether it read characters. Its words tell: a Tokenizer with Keras' defaults makes none
with capitals or with punctuation in them. Words that it never makes can never be found in a text,
so the model would read others than in its training.
"""

from __future__ import annotations

import re

from controller.model_build.origins import Origins
from controller.model_build.plausibility import Unusual, listed
from controller.model_build.settings import SETTINGS_FILE, Settings
from controller.model_build.unknown_words import is_marker
from controller.model_build.word_index import WordIndex

# A Tokenizer makes no such word at all; lists of words from elsewhere have some.
_FEW = 50
_PLAIN = re.compile(rb"[a-z0-9]+")


def check_rules(
    index: WordIndex, settings: Settings, origins: Origins, where: str, unusual: Unusual
) -> None:
    """Find words that contradict an assumed `lower`, `filters` or `char_level`.

    Args:
        where: the file, for the error.
    """
    if settings.char_level or not origins.assumed("char_level"):
        return
    odd = (raw.decode("utf-8") for raw in index.words if not _PLAIN.fullmatch(raw))
    words = [word for word in odd if word != settings.oov_token and not is_marker(word)]
    count = len(index)
    single = sum(len(raw.decode("utf-8")) == 1 for raw in index.words)
    if 10 * single >= 9 * count and count > 1:
        unusual(
            f"{where}: {single} of {count} words have one character, so a Tokenizer of characters "
            "made them, and nothing says so",
            f'give "char_level": true in {SETTINGS_FILE} beside the .h5 (false, if they are words)',
        )
        return
    least = max(1, count // _FEW)
    capitals = [word for word in words if word.lower() != word]
    if settings.lower and origins.assumed("lower") and len(capitals) > least:
        unusual(
            f"{where}: {len(capitals)} of {count} words have capitals, such as "
            f"{listed(capitals)}, which a Tokenizer with lower=True never makes, and nothing says "
            "that it kept them",
            f'give "lower": false in {SETTINGS_FILE} beside the .h5 (true, if it did lower texts)',
        )
    filtered = set(settings.filters)
    apart = [word for word in words if filtered & {*word}]
    if origins.assumed("filters") and len(apart) > least:
        unusual(
            f"{where}: {len(apart)} of {count} words have punctuation, such as {listed(apart)}, "
            "where Keras' own filters separate words, and nothing says that others were used",
            f'give "filters" in {SETTINGS_FILE} beside the .h5, such as "" for none (the filters '
            "of Keras' Tokenizer, if it did use them)",
        )
