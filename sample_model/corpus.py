"""Comments and tweets with their labels, and the split into training, validation and held-out."""

from __future__ import annotations

import csv
import html
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LABELS = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
TWEET_LABELS = ("offensive_or_hate", "hate")
UNLABELLED = -1.0
VALIDATION_SHARE, HELD_OUT_SHARE = 0.15, 0.20
# Without empty texts, a text without a known word gets the score of short texts: toxic 0.56.
EMPTY_TEXTS = 50

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Corpus:
    """Texts and their targets: float32 [texts, labels], -1 where a label is missing."""

    texts: list[str]
    targets: NDArray[np.float32]

    def take(self, rows: Rows) -> Corpus:
        """The texts with these numbers."""
        return Corpus([self.texts[row] for row in rows], self.targets[rows])

    def with_empty_texts(self) -> Corpus:
        """The corpus and some empty texts that are labelled harmless."""
        harmless = np.zeros((EMPTY_TEXTS, self.targets.shape[1]), np.float32)
        return Corpus(self.texts + [""] * EMPTY_TEXTS, np.concatenate([self.targets, harmless]))


def read_comments(path: Path) -> Corpus:
    """Jigsaw comments with their six labels; repeated texts are kept once."""
    rows: dict[str, list[float]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows.setdefault(row["comment_text"], [float(row[label]) for label in LABELS])
    return Corpus(list(rows), np.array(list(rows.values()), np.float32))


def read_tweets(path: Path) -> Corpus:
    """Davidson's tweets with (offensive or hate, hate), without user names and links.

    User names identify people, and "rt" or "http" would teach the network where a text comes from.
    """
    rows: dict[str, list[float]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            text = html.unescape(row["tweet"])
            text = re.sub(r"https?://\S+|@\w+|\bRT\b", " ", text)
            text = re.sub(r"\s+", " ", text).strip()
            rows.setdefault(text, [float(row["class"] != "2"), float(row["class"] == "0")])
    return Corpus(list(rows), np.array(list(rows.values()), np.float32))


def split(targets: NDArray[np.float32], seed: int) -> tuple[Rows, Rows, Rows]:
    """Rows for training (65 %), validation (15 %) and the held-out split (20 %).

    Stratified by the rarest label of each row, so that each part gets some of the 19 threats.
    """
    random = np.random.default_rng(seed)
    rarity = np.argsort(targets.sum(axis=0))
    stratum = np.full(len(targets), -1)
    for label in rarity[::-1]:
        stratum[targets[:, label] > 0] = label
    training: list[Rows] = []
    validation: list[Rows] = []
    held_out: list[Rows] = []
    for value in np.unique(stratum):
        rows = random.permutation(np.flatnonzero(stratum == value))
        held, valid = round(HELD_OUT_SHARE * len(rows)), round(VALIDATION_SHARE * len(rows))
        held_out.append(rows[:held])
        validation.append(rows[held : held + valid])
        training.append(rows[held + valid :])
    return _sorted(training), _sorted(validation), _sorted(held_out)


def _sorted(parts: list[Rows]) -> Rows:
    return np.sort(np.concatenate(parts))
