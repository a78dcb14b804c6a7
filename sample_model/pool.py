"""Texts without labels, of which each epoch has others: the teacher's scores label them.

Tweets of Davidson et al. 2017 (MIT), and training comments in which words of the vocabulary stand
in place of others: so the network learns words of which no comment tells whether they are rude.
"""

from __future__ import annotations

import csv
import html
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from controller.model_train.data import Comments
from controller.model_train.errors import TrainError

__all__ = ["TWEETS", "make_pool", "put_words", "read_tweets"]

TWEETS = "davidson_tweets.csv"
MADE_UP = 30_000
WEIGHT = 0.5
# A word's chance to be put: this, and the teacher's score of the word alone.
_LEAST_CHANCE = 0.02
_SHORTEST, _LONGEST, _SHORT = 3, 40, 8
_LEAST_LETTERS = 4

Score = Callable[[Sequence[str]], NDArray[np.float32]]
Tokens = Callable[[Sequence[str]], list[list[str]]]


def read_tweets(path: Path) -> list[str]:
    """Tweets without user names and links, which identify people and tell where a text is from.

    Raises:
        TrainError: not readable, or not these tweets.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [html.unescape(row["tweet"]) for row in csv.DictReader(file)]
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise TrainError(f"{path}: not the tweets of the sample model ({error!r})") from None
    return [" ".join(re.sub(r"https?://\S+|@\w+|\bRT\b", " ", row).split()) for row in rows]


def put_words(
    random: np.random.Generator,
    texts: Sequence[list[str]],
    words: Sequence[str],
    chances: NDArray[np.float64],
    number: int = MADE_UP,
) -> list[list[str]]:
    """Short texts with one word replaced; of every second, a few words and another such word."""
    short = [one for one in texts if _SHORTEST <= len(one) <= _LONGEST]
    put = random.choice(len(words), 2 * number, p=chances / chances.sum())
    found = []
    for place in range(number):
        text = list(short[int(random.integers(len(short)))])
        text[int(random.integers(len(text)))] = words[put[place]]
        if place % 2:
            start = int(random.integers(max(1, len(text) - 5)))
            text = text[start : start + int(random.integers(1, _SHORT))]
            text.append(words[put[number + place]])
        found.append(text)
    return found


def make_pool(
    seed: int,
    tweets: Sequence[list[str]],
    texts: Sequence[list[str]],
    vocabulary: Sequence[str],
    score: Score,
) -> Comments:
    """The pool, with the teacher's scores as targets.

    Args:
        tweets, texts: tokens of the tweets and of the training comments.
        score: of texts that are tokens with blanks between them.
    """
    words = [one for one in vocabulary if one.isalpha() and len(one) >= _LEAST_LETTERS]
    chances = _LEAST_CHANCE + score(words)[:, 0].astype(np.float64)
    made = put_words(np.random.default_rng(seed), texts, words, chances)
    pool = [" ".join(one) for one in (*tweets, *made)]
    return Comments(pool, score(pool), np.full(len(pool), WEIGHT, np.float32))
