"""Comments and vectors that tests make up: every word has a meaning that a network can learn."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

RUDE = ("idiot", "moron", "stupid", "loser", "dumb")
THREATS = ("kill", "hurt", "destroy")
PLAIN = tuple(f"word{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")


def write_comments(path: Path, rows: int = 400, seed: int = 3) -> Path:
    """A CSV with the labels toxic and threat, which single words decide."""
    random = np.random.default_rng(seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["comment_text", "toxic", "threat"])
        for number in range(rows):
            words = list(random.choice(PLAIN, int(random.integers(3, 30))))
            toxic, threat = number % 3 == 0, number % 6 == 0
            if toxic:
                words[int(random.integers(len(words)))] = str(random.choice(RUDE))
            if threat:
                words.append(str(random.choice(THREATS)))
            writer.writerow([f"{' '.join(words)} n{number}", int(toxic), int(threat)])
    return path


def write_vectors(path: Path, dimension: int = 8, seed: int = 4) -> Path:
    """Vectors of these words and of some others, as GloVe's text."""
    random = np.random.default_rng(seed)
    words = ("the", "thanks", "don't", *PLAIN, *RUDE, *THREATS, "you", "are", "an", "never")
    # As in real vectors, words of one meaning are near each other.
    alike = {
        word: centre
        for group in (RUDE, THREATS)
        for centre in [random.normal(0, 1, dimension)]
        for word in group
    }
    with path.open("w", encoding="utf-8") as file:
        for word in words:
            row = random.normal(0, 0.4, dimension) + alike.get(word, 0.0)
            numbers = " ".join(f"{one:.5f}" for one in row)
            file.write(f"{word} {numbers}\n")
    return path
