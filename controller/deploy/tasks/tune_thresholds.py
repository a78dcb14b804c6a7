"""`fab tune-thresholds`: its options, its tables, and the file of them."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.deploy.cli import DRY_RUN
from controller.deploy.errors import DeployError
from controller.deploy.paths import absolute
from controller.deploy.tasks.scored import (
    SCORES,
    SERVICE,
    check_url,
    input_file,
    open_service,
    share,
)
from controller.progress import print_table
from controller.scores.table import read_labelled

if TYPE_CHECKING:
    from controller.scores.tune import Curve

__all__ = ["HELP", "tune_thresholds"]

HELP = {
    "labelled": "CSV of comments, with a column of 0 and 1 for each label",
    **SERVICE,
    "column": "of the comments (default: text, comment_text or alike)",
    "flag_rate": "also the threshold that flags this share of the comments, such as 0.02",
    "precision": "also the threshold with this precision, such as 0.9",
    "out": "write the tables to this .csv or .json",
    **DRY_RUN,
}
COLUMNS = ("label", "threshold", "flagged", "precision", "recall", "wanted")
Row = dict[str, Any]


def tune_thresholds(
    labelled: str,
    url: str | None = None,
    inventory: str | None = None,
    limit: str | None = None,
    key_file: str | None = None,
    column: str | None = None,
    flag_rate: str | None = None,
    precision: str | None = None,
    out: str | None = None,
    dry_run: bool = False,
) -> None:
    """Show what each threshold does to labelled comments: precision, recall, flagged share."""
    # Imported here: NumPy, which no other task should wait for.
    from controller.scores.model_scores import model_labels, model_scores
    from controller.scores.tune import Curve

    wanted = {"rate": share("flag-rate", flag_rate), "precision": share("precision", precision)}
    file, target = input_file(labelled, "tune-thresholds"), absolute(out) if out else None
    if target and target.suffix.lower() not in (".csv", ".json"):
        raise DeployError(f"--out is {target}, expected a name that ends with .csv or .json")
    check_url(url)
    if dry_run:
        print(f"would score the comments of {file} with {url or 'the server of the inventory'}")
        return
    service = open_service(url, inventory, limit, key_file)
    comments = read_labelled(file, column, model_labels(service))
    scores = model_scores(service, list(comments), SCORES)
    if len(scores) < len(comments):
        print(f"{len(comments) - len(scores)} comments left out: the service refuses them")
    rows = []
    for label in dict.fromkeys(name for labels in comments.values() for name in labels):
        both = [
            (scores[text][label], labels[label])
            for text, labels in comments.items()
            if text in scores and label in labels
        ]
        if not both:
            continue
        curve = Curve([score for score, _ in both], [value for _, value in both])
        print(f"{label}: {len(both)} comments, {curve.positives} of them labelled")
        rows += _rows(label, curve, wanted)
    if not rows:
        raise DeployError(f"{file}: no comment with a label was scored: see `fab status`")
    print_table(COLUMNS, [_cells(row) for row in rows])
    if target:
        _write(target, rows)
        print(f"written: {target}")


def _rows(label: str, curve: Curve, wanted: Mapping[str, float | None]) -> list[Row]:
    from controller.scores.tune import STEPS

    found = [(curve.at(step), "") for step in STEPS]
    for name, choose in (("rate", curve.for_flag_rate), ("precision", curve.for_precision)):
        value = wanted[name]
        if value is None:
            continue
        choice = choose(value)
        if choice is None:
            print(f"warning: {label}: no threshold has the {name} {value}")
        else:
            found.append((choice, f"{name} {value}"))
    return [
        {
            "label": label,
            "threshold": one.threshold,
            "flagged": one.flagged,
            "precision": one.precision,
            "recall": one.recall,
            "wanted": reason,
        }
        for one, reason in found
    ]


def _cells(row: Row) -> list[str]:
    def percent(value: float | None) -> str:
        return "-" if value is None else f"{100 * value:.1f} %"

    shares = [percent(row[name]) for name in ("flagged", "precision", "recall")]
    return [row["label"], f"{row['threshold']:.4g}", *shares, row["wanted"]]


def _write(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows; the file is whole or as it was."""
    if path.suffix.lower() == ".json":
        text = json.dumps(list(rows), indent=1) + "\n"
    else:
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
        text = buffer.getvalue()
    work = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        work.write_text(text, encoding="utf-8")
        work.replace(path)
    finally:
        work.unlink(missing_ok=True)
