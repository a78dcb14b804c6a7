"""The reliability plot: how many of the comments with a score have the label."""

from __future__ import annotations

import os
from pathlib import Path

from controller.model_card.figures import DataSet
from controller.model_train.metrics import bins

__all__ = ["write_reliability"]

_COLUMNS = 3
_WIDE, _HIGH = 2.6, 2.8  # inches of one label
_DOTS = 80  # per inch


def write_reliability(path: Path, data: DataSet) -> None:
    """Write the plot as PNG; equal figures give equal bytes. Raises OSError: not writable."""
    # Imported here: it takes half a second.
    from matplotlib.figure import Figure

    columns = min(_COLUMNS, len(data.labels))
    rows = -(-len(data.labels) // columns)
    figure = Figure(figsize=(_WIDE * columns, _HIGH * rows), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel, label in zip(axes, data.labels, strict=False):
        found = bins(*data.of(label))
        panel.plot([0, 1], [0, 1], color="0.8", linewidth=1)
        panel.plot([one.score for one in found], [one.share for one in found], "o-", markersize=3)
        panel.set(
            title=label, xlabel="score", ylabel="share with the label", aspect="equal",
            xlim=(-0.03, 1.03), ylim=(-0.03, 1.03),
        )  # fmt: skip
    for panel in axes[len(data.labels) :]:
        panel.set_axis_off()
    path.parent.mkdir(parents=True, exist_ok=True)
    work = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        figure.savefig(work, dpi=_DOTS, metadata={"Software": None})
        work.replace(path)
    finally:
        work.unlink(missing_ok=True)
