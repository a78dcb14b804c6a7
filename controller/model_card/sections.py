"""The sections of a card, each as lines of Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from controller.model_card.bias import TermFigures
from controller.model_card.figures import AT, PRECISION, DataSet, LabelFigures
from controller.model_card.markdown import number, quote, table
from controller.model_card.scorer import Sizes
from controller.model_train.metrics import BINS, Interval
from controller.progress import megabytes

__all__ = [
    "bias_section",
    "failure_section",
    "label_section",
    "moderation_section",
    "reliability_section",
    "size_section",
    "threshold_section",
]

_SHOWN_TERMS, _SHOWN_FAILURES = 15, 8


def label_section(data: DataSet, figures: Sequence[LabelFigures]) -> list[str]:
    """How well comments are ranked."""
    rows = [
        [
            one.label,
            str(one.comments),
            str(one.positives),
            _interval(one.auc),
            _interval(one.precision),
            number(one.calibration),
        ]
        for one in figures
    ]
    aucs = [one.auc.value for one in figures if not np.isnan(one.auc.value)]
    mean = float(np.mean(aucs)) if aucs else float("nan")
    return [
        f"### {data.name}: {len(data.comments)} comments",
        "",
        *table(
            (
                *("label", "comments", "with it", "ROC-AUC", "average precision"),
                "calibration error",
            ),
            rows,
        ),
        f"Mean ROC-AUC {number(mean)}. In brackets: 95 % of 1,000 resamples of the comments "
        "(bootstrap).",
        "",
    ]


def reliability_section(data: DataSet, picture: str) -> list[str]:
    """How true the scores are."""
    return [
        "### Scores as probabilities",
        "",
        f"![Reliability plot of {data.name}]({picture})",
        "",
        f"{data.name}: comments in {BINS} bins of equal width by their score; each point is a "
        "bin's mean score and its share of comments with the label. The expected calibration error "
        "in the tables above is the mean distance of the two, weighted by the comments of the bin.",
        "",
    ]


def threshold_section(data: DataSet, figures: Sequence[LabelFigures]) -> list[str]:
    """Which threshold gives which precision."""
    rows = []
    for one in figures:
        choice = one.precise
        if choice is None or choice.precision is None or choice.recall is None:
            rows.append([one.label, "none", "-", "-", "-"])
        else:
            shares = (choice.precision, choice.recall, choice.flagged)
            rows.append([one.label, number(choice.threshold), *(number(share) for share in shares)])
    return [
        f"### Thresholds for a precision of {PRECISION}",
        "",
        f"On {data.name}, the lowest threshold from which on {PRECISION:.0%} of what is flagged "
        "has the label. Other comments need other thresholds: `fab tune-thresholds` finds them.",
        "",
        *table(("label", "threshold", "precision", "recall", "flagged"), rows),
    ]


def moderation_section(data: DataSet, figures: Sequence[LabelFigures]) -> list[str]:
    """Over- and under-moderation at fixed thresholds."""
    rows = [
        [
            one.label,
            *(
                number(value)
                for at in one.decisions
                for value in (at.balanced_accuracy, at.over, at.under)
            ),
        ]
        for one in figures
    ]
    header = [
        f"{what} at {at}"
        for at in AT
        for what in ("balanced accuracy", "over-moderated", "under-moderated")
    ]
    return [
        "### Over- and under-moderation",
        "",
        f"On {data.name}, with a comment flagged if its score is the threshold or more: "
        "over-moderated is the share of comments without the label that are flagged (false "
        "positive rate), under-moderated that of comments with it that are not (false negative "
        "rate), balanced accuracy 1 minus the mean of both. After Hartmann et al., Lost in "
        "Moderation (CHI 2025).",
        "",
        *table(("label", *header), rows),
    ]


def bias_section(label: str, overall: float, terms: Sequence[TermFigures]) -> list[str]:
    """Bias by the names of groups, the worst first."""
    rows = [
        [
            one.term,
            *(number(value) for value in (one.subgroup, one.bpsn, one.bnsp)),
            number(one.decision.over),
            number(one.decision.under),
        ]
        for one in terms[:_SHOWN_TERMS]
    ]
    count = sum(one.sentences for one in terms)
    # A group without harmless sentences has none.
    lowest = min(terms, key=lambda one: float("inf") if np.isnan(one.bpsn) else one.bpsn)
    return [
        "### Bias by the names of groups",
        "",
        f"`{label}` on {count} made-up sentences that name one of {len(terms)} groups (and others "
        f"that name none): ROC-AUC of all {number(overall)}; the worst BPSN is "
        f"{number(lowest.bpsn)} ({lowest.term}). Subgroup: among the sentences that name the "
        "group. BPSN: harmless ones that name it against toxic ones that do not; low means that "
        "its name alone counts as toxic. BNSP: toxic ones that name it against harmless ones that "
        f"do not. Over- and under-moderated as above, at {AT[0]}. The worst {len(rows)} of "
        f"{len(terms)}:",
        "",
        *table(("group", "subgroup", "BPSN", "BNSP", "over-moderated", "under-moderated"), rows),
    ]


def failure_section(data: DataSet) -> list[str]:
    """The comments that it is most wrong about, for the first label."""
    label = data.labels[0]
    place = data.labels.index(label)
    targets, scores = data.comments.targets[:, place], data.scores[:, place]
    order = np.argsort(-scores, kind="stable")
    wrong = (
        (f"Not labelled `{label}`, highest scores", order[targets[order] <= 0.5]),
        (f"Labelled `{label}`, lowest scores", order[::-1][targets[order[::-1]] > 0.5]),
    )
    lines = ["### Where it fails", ""]
    for title, found in wrong:
        rows = [
            [number(float(scores[row])), quote(data.comments.texts[row])]
            for row in found[:_SHOWN_FAILURES]
        ]
        lines += [f"{title} ({data.name}, shortened):", "", *table(("score", "comment"), rows)]
    return lines


def size_section(sizes: Sizes) -> list[str]:
    """Size and speed."""
    return [
        "### Size and speed",
        "",
        f"Head {megabytes(sizes.head)}, word vectors of {sizes.words:,} words "
        f"{megabytes(sizes.dump)} in MongoDB. A comment of ten words takes "
        f"{sizes.milliseconds:.2f} ms from its text to its scores, on one core of the computer "
        "that wrote this card, with its words in the cache.",
        "",
    ]


def _interval(value: Interval) -> str:
    return f"{number(value.value)} ({number(value.low)} to {number(value.high)})"
