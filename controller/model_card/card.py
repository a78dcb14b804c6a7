"""Compute the figures of a bundle on labelled comments, and put them into a card."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from controller.model_card import sections
from controller.model_card.bias import Sentences, term_figures
from controller.model_card.figures import DataSet, LabelFigures, label_figures
from controller.model_card.markdown import BEGIN, END, put
from controller.model_card.plots import write_reliability
from controller.model_card.scorer import Scorer
from controller.model_train.data import Comments
from controller.model_train.errors import TrainError
from controller.model_train.metrics import roc_auc

__all__ = ["CardInput", "write_card"]

Say = Callable[[str], None]
PICTURE, FIGURES = "reliability.png", "figures.json"


@dataclass(frozen=True)
class CardInput:
    """What a card is made from.

    Attributes:
        sets: labelled comments that the model was not trained on, by name; the first is that of
            the plot, the thresholds and the failures. Their labels are the bundle's.
        sentences: for the bias section; None leaves it out.
        more: further sections, which take the scorer.
        rounds: of the bootstrap.
    """

    sets: Mapping[str, Comments]
    sentences: Sentences | None = None
    more: Sequence[Callable[[Scorer], list[str]]] = field(default=())
    rounds: int = 1000


def write_card(
    path: Path, scorer: Scorer, given: CardInput, document: str | None = None, say: Say = print
) -> None:
    """Write a card, and beside it (in a directory of its name) the plot and the figures as JSON.

    Args:
        path: of the card. An existing one keeps what is outside of its marks.
        document: text with marks, in place of an existing card's.

    Raises:
        TrainError: the document has no marks, or is not UTF-8.
        OSError: not writable.
    """
    if document is None:
        document = _existing(path) if path.exists() else _document(scorer)
    beside = path.with_name(f"{path.stem.lower()}_files")
    sets = [
        DataSet(name, scorer.labels, comments, scorer.score(comments.texts, name, say))
        for name, comments in given.sets.items()
    ]
    if not sets:
        raise TrainError(f"{path}: no comments to measure with: name them with --data")
    first = sets[0]
    figures = {one.name: label_figures(one, given.rounds) for one in sets}
    lines = ["## Figures", ""]
    for one in sets:
        lines += sections.label_section(one, figures[one.name])
    lines += sections.reliability_section(first, f"{beside.name}/{PICTURE}")
    lines += sections.threshold_section(first, figures[first.name])
    lines += sections.moderation_section(first, figures[first.name])
    report: dict[str, Any] = {
        "model": scorer.manifest.model_version,
        "sets": {name: _plain(of) for name, of in figures.items()},
    }
    if given.sentences is not None:
        scores = scorer.score(given.sentences.texts, "sentences", say)[:, 0]
        terms = term_figures(given.sentences, scores.tolist())
        overall = roc_auc(given.sentences.toxic, scores)
        lines += sections.bias_section(scorer.labels[0], overall, terms)
        report["bias"] = {
            "overall": _value(overall),
            **{one.term: [*map(_value, (one.subgroup, one.bpsn, one.bnsp))] for one in terms},
        }
    for section in given.more:
        lines += section(scorer)
    lines += sections.failure_section(first)
    lines += sections.size_section(scorer.sizes())
    text = put(document, lines, str(path))
    write_reliability(beside / PICTURE, first)
    _write(beside / FIGURES, json.dumps(report, indent=1) + "\n")
    _write(path, text)
    say(f"card: {path}")


def _plain(figures: Sequence[LabelFigures]) -> dict[str, dict[str, float | None]]:
    """The figures as JSON has them: null for what does not exist."""
    return {
        one.label: {
            "positives": one.positives,
            "auc": _value(one.auc.value),
            "average_precision": _value(one.precision.value),
            "calibration_error": _value(one.calibration),
            "threshold": one.precise.threshold if one.precise else None,
        }
        for one in figures
    }


def _value(number: float) -> float | None:
    return None if np.isnan(number) else number


def _existing(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise TrainError(f"{path}: not a card in UTF-8: choose another --out") from None


def _document(scorer: Scorer) -> str:
    """A new card, in which the people who trained the model say what only they know."""
    manifest = scorer.manifest
    return f"""# Model card: {manifest.name}

Content note: this page quotes comments, which may be offensive.

## What it is

A text CNN with the labels {", ".join(f"`{label}`" for label in scorer.labels)} for the languages
{", ".join(manifest.languages)}, trained by `fab train`. It reads {manifest.sequence.length} words
at a time; scores are probabilities, calibrated on the validation comments.

## Data, licence and intended use

Write here where the comments and the word vectors come from, under which licence, who labelled
them, and what the model shall and shall not decide.

{BEGIN}
{END}
"""


def _write(path: Path, text: str) -> None:
    work = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        work.write_text(text, encoding="utf-8")
        work.replace(path)
    finally:
        work.unlink(missing_ok=True)
