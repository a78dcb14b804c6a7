"""Golden texts of a model's own words, for models that the fixed English texts say little about.

Words are drawn from the vocabulary, always the same ones for equal inputs; half of them are
frequent ones, which have the lowest indices. The texts encode to exactly what was drawn, whatever
separates words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from controller.model_build.golden_texts import MOST_CHARACTERS
from controller.model_build.vocabulary import Vocabulary, text_of
from tox_com_det.model.tokenizer import TokenizerRules

# Texts that are drawn and scored, and those of them that become golden outputs.
_DRAWN, _KEPT = 32, 12
_WORDS = 600
_FREQUENT = 1000
_SHORT = (1, 1, 1, 2, 3, 5, 8, 13)


def draw_texts(chosen: Vocabulary, rules: TokenizerRules, length: int) -> list[str]:
    """Texts of one word up to half as many again as the sequence has positions.

    Args:
        length: the sequence length.
    """
    random = np.random.default_rng(0)
    words = list(_words(chosen, rules, random))
    if not words:
        return []
    counts = [*_SHORT, max(1, length // 4), max(1, length // 2), length, length + length // 2]
    texts: dict[str, None] = {}
    for number in range(_DRAWN):
        count = counts[number % len(counts)]
        text = _text([words[at] for at in random.integers(0, len(words), count)], rules)
        if text is not None:
            texts[text] = None
    return list(texts)


def _words(chosen: Vocabulary, rules: TokenizerRules, random: np.random.Generator) -> Iterator[str]:
    """Words that the tokenizer takes for one token, frequent ones and any in turn."""
    frequent = np.argsort(chosen.indices, kind="stable")[:_FREQUENT]
    for number in range(_WORDS):
        among = random.integers(0, len(frequent if number % 2 else chosen.indices))
        word = chosen.word(int(frequent[among] if number % 2 else among))
        if word != rules.oov_token and rules.tokens(word) == [word]:
            yield word


def _text(words: list[str], rules: TokenizerRules) -> str | None:
    """A text of these words that a service takes; None if it would not be read as them."""
    while len(text_of(words, rules)) > MOST_CHARACTERS:
        words = words[: len(words) // 2]
    text = text_of(words, rules)
    return text if rules.tokens(text) == words else None


def spread_out(scores: Sequence[Sequence[float]]) -> list[int]:
    """Numbers of the texts to keep: from the lowest to the highest score of the label that varies.

    Args:
        scores: of each text, one per label.
    """
    if len(scores) <= _KEPT:
        return list(range(len(scores)))
    values = np.array(scores)
    label = int(np.argmax(values.max(axis=0) - values.min(axis=0)))
    order = np.argsort(values[:, label], kind="stable")
    ranks = np.linspace(0, len(order) - 1, _KEPT).round().astype(int)
    return sorted(int(order[rank]) for rank in ranks)
