"""The comments that the sample model is trained on, and those that are kept apart.

The directory of the data holds `jigsaw_train.csv` and `jigsaw_extra.csv.gz`, both of the Jigsaw
Toxic Comment Classification Challenge. Only a part of them is in the challenge's own proportions
("natural", about 10 % toxic): the first file and one source of the second. What decides about the
model is measured on that part.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from controller.model_train.data import Comments
from controller.model_train.errors import TrainError
from controller.model_train.split import Parts, part

__all__ = ["FILES", "LABELS", "Source", "part_sources", "read_sources"]

LABELS = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
FILES = ("jigsaw_train.csv", "jigsaw_extra.csv.gz")
NATURAL = ("jigsaw_train.csv", "jigsaw_train/khanhhk")
_TEXT = {"jigsaw_train.csv": "comment_text", "jigsaw_extra.csv.gz": "text"}
# Without empty texts, a text without a known word gets the score of short texts.
EMPTY_TEXTS = 50


@dataclass(frozen=True)
class Source:
    """Comments of one origin, and how much each of them counts in training."""

    name: str
    comments: Comments

    @property
    def natural(self) -> bool:
        """Whether its comments are in the proportions of all comments."""
        return self.name in NATURAL


def read_sources(directory: Path) -> list[Source]:
    """Read both files; a text that is in several sources belongs to the first of them.

    Raises:
        TrainError: a file is missing, or is not one of these.
    """
    found: dict[str, dict[str, list[float]]] = {}
    known: set[str] = set()
    for name in FILES:
        for row in _rows(directory / name):
            try:
                text, source = row[_TEXT[name]].strip(), row.get("source", name)
                values = [float(row[label] or "nan") for label in LABELS]
            except (KeyError, ValueError) as error:
                raise TrainError(
                    f"{directory / name}: not the comments of the sample model ({error}): see "
                    "sample_model/corpus.py"
                ) from None
            if text and text not in known:
                known.add(text)
                found.setdefault(source, {})[text] = values
    return [
        Source(
            name,
            Comments(
                list(rows),
                np.array(list(rows.values()), np.float32),
                np.ones(len(rows), np.float32),
            ),
        )
        for name, rows in found.items()
    ]


def part_sources(sources: list[Source], seed: int) -> Parts:
    """Train on 80 % of the natural comments and on all others; the rest is natural.

    Raises:
        TrainError: no natural comments.
    """
    natural = [source.comments for source in sources if source.natural]
    if not natural:
        raise TrainError(f"no comments of {' or '.join(NATURAL)}: give the whole data")
    parts = part(natural[0].joined(*natural[1:]), seed)
    others = [source.comments for source in sources if not source.natural]
    training = parts.training.joined(*others, _empty_texts())
    return Parts(training, parts.validation, parts.held_out)


def _empty_texts() -> Comments:
    """Texts without a word, labelled harmless."""
    targets = np.zeros((EMPTY_TEXTS, len(LABELS)), np.float32)
    return Comments([""] * EMPTY_TEXTS, targets, np.ones(EMPTY_TEXTS, np.float32))


def _rows(path: Path) -> Iterator[dict[str, str]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TrainError(f"{path}: {error.strerror}: give the directory of the data") from None
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    yield from csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""))
