"""The comments that the sample model is trained on, and those that are kept apart.

The directory of the data holds `jigsaw_train.csv` and `jigsaw_extra.csv.gz`, both of the Jigsaw
Toxic Comment Classification Challenge. Only a part of them is in the challenge's own proportions
("natural", about 10 % toxic): the first file and one source of the second. What is kept apart is
mostly of that part: half of it decides when to stop and how to calibrate, the other half is for the
card alone.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from controller.model_train.data import Comments
from controller.model_train.errors import TrainError
from controller.model_train.split import Parts

__all__ = ["FILES", "LABELS", "Source", "empty_texts", "joined", "part_sources", "read_sources"]

LABELS = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
FILES = ("jigsaw_train.csv", "jigsaw_extra.csv.gz")
NATURAL = ("jigsaw_train.csv", "jigsaw_train/khanhhk")
# Of another half of the challenge, whose labels were given later.
SECOND = "jigsaw_test/RobertNimmo26"
KEPT_NATURAL, KEPT_SECOND = 4_000, 400
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


def part_sources(sources: Sequence[Source], seed: int) -> Parts:
    """Keep a part of the natural comments and of another source apart, train on all others.

    Raises:
        TrainError: too few comments of these sources.
    """
    random = np.random.default_rng(seed)
    natural = joined([source.comments for source in sources if source.natural])
    second = joined([source.comments for source in sources if source.name == SECOND])
    others = [one.comments for one in sources if not one.natural and one.name != SECOND]
    training: list[Comments] = []
    calibration: list[Comments] = []
    validation: list[Comments] = []
    held_out: list[Comments] = []
    for comments, kept in ((natural, KEPT_NATURAL), (second, KEPT_SECOND)):
        if len(comments) < 2 * kept:
            raise TrainError(
                f"{len(comments)} comments where {2 * kept} are needed: give the whole data, see "
                "sample_model/corpus.py"
            )
        order = random.permutation(len(comments))
        parts = np.split(order, [kept // 2, kept])
        if comments is natural:
            calibration.append(comments.take(np.sort(parts[0])))
        for part, rows in zip((validation, held_out, training), parts, strict=True):
            part.append(comments.take(np.sort(rows)))
    return Parts(
        joined([*training, *others]), joined(validation), joined(held_out), joined(calibration)
    )


def joined(parts: Sequence[Comments]) -> Comments:
    """The comments of several parts."""
    none = Comments([], np.zeros((0, len(LABELS)), np.float32), np.zeros(0, np.float32))
    return none.joined(*parts)


def empty_texts() -> Comments:
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
