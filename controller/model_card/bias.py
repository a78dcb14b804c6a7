"""Unintended bias: does the model tell toxic from harmless as well where a group is named?

L. Dixon et al., Measuring and Mitigating Unintended Bias in Text Classification (2018); D. Borkan
et al., Nuanced Metrics for Measuring Unintended Bias with Real Data for Text Classification (2019).
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from controller.model_card.figures import AT, Decision, decide
from controller.model_train.errors import TrainError
from controller.model_train.metrics import roc_auc
from controller.scores.csv_rows import Unreadable, parse

__all__ = ["Sentences", "TermFigures", "read_sentences", "term_figures"]


@dataclass(frozen=True)
class Sentences:
    """Sentences that name a group, or none (""), and whether they are toxic."""

    texts: list[str]
    toxic: NDArray[np.bool_]
    terms: NDArray[np.str_]


@dataclass(frozen=True)
class TermFigures:
    """ROC-AUC of sentences by whether they name a term.

    Attributes:
        subgroup: among those that name it.
        bpsn: harmless ones that name it against toxic ones that do not; low: its name counts as
            toxic.
        bnsp: toxic ones that name it against harmless ones that do not; low: its name hides
            toxicity.
        decision: of the sentences that name it, at the first of AT.
    """

    term: str
    sentences: int
    subgroup: float
    bpsn: float
    bnsp: float
    decision: Decision

    @property
    def worst(self) -> float:
        """The lowest of the three that exist, infinity if none does."""
        found = (self.subgroup, self.bpsn, self.bnsp)
        return min((one for one in found if not np.isnan(one)), default=float("inf"))


def read_sentences(path: Path) -> Sentences:
    """Read a CSV (also .gz) with the columns text, label (0 or 1) and subgroup.

    Raises:
        TrainError: not readable, without these columns, a row with another number of cells, or no
            sentence that names a group.
    """
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        (_, names), *rows = parse(content.decode("utf-8-sig"))[0]
        text, label, subgroup = (names.index(name) for name in ("text", "label", "subgroup"))
        toxic = np.array([{"0": False, "1": True}[cells[label]] for _, cells in rows], bool)
        terms = np.array([cells[subgroup] for _, cells in rows], np.str_)
        if (terms != "").any():
            return Sentences([cells[text] for _, cells in rows], toxic, terms)
        why = "no sentence names a group in subgroup"
    except OSError as error:
        why = error.strerror or str(error)
    except (EOFError, zlib.error) as error:
        why = f"cannot be unpacked ({error})"
    except Unreadable as error:
        raise TrainError(f"{path}: {error}") from None
    except (KeyError, ValueError) as error:
        why = f"not sentences with the columns text, label (0 or 1) and subgroup ({error!r})"
    raise TrainError(f"{path}: {why}: name another file")


def term_figures(sentences: Sentences, scores: Sequence[float]) -> list[TermFigures]:
    """Figures of each term, the worst first."""
    score, toxic = np.asarray(scores, np.float64), sentences.toxic
    found = []
    for term in np.unique(sentences.terms[sentences.terms != ""]):
        inside = sentences.terms == term

        def auc(rows: NDArray[np.bool_]) -> float:
            return roc_auc(toxic[rows], score[rows])

        found.append(
            TermFigures(
                str(term),
                int(inside.sum()),
                auc(inside),
                auc(np.where(inside, ~toxic, toxic)),
                auc(np.where(inside, toxic, ~toxic)),
                decide(toxic[inside], score[inside], AT[0]),
            )
        )
    return sorted(found, key=lambda one: (one.worst, one.term))
