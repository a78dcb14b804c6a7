"""A plot of fitted maps: the held-out pairs of each attribute, and the map through them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from controller.deploy.errors import DeployError
from controller.scores.fit import Fit

__all__ = ["check_plot", "write_plot"]

SUFFIXES = (".png", ".svg", ".pdf")
_COLUMNS = 3
_WIDE, _HIGH = 4.0, 4.4  # inches of one attribute


def check_plot(path: Path) -> None:
    """Raise DeployError if the file's name has another ending than those of pictures."""
    if path.suffix.lower() not in SUFFIXES:
        raise DeployError(f"--plot is {path}, expected a name that ends with {', '.join(SUFFIXES)}")


def write_plot(path: Path, fits: Mapping[str, Fit]) -> None:
    """Write the plot; the file is whole or not there. Raises OSError: not writable."""
    # Imported here: it takes half a second, which no other task should wait for.
    from matplotlib.figure import Figure

    columns = min(_COLUMNS, len(fits))
    rows = -(-len(fits) // columns)
    figure = Figure(figsize=(_WIDE * columns, _HIGH * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).flat
    for panel, (name, fit) in zip(axes, fits.items(), strict=False):
        panel.plot([0, 1], [0, 1], color="0.8", linewidth=1)
        ours, google = zip(*fit.points, strict=True)
        panel.scatter(ours, google, s=6, alpha=0.3, linewidths=0)
        panel.plot(fit.score_map.x, fit.score_map.y, color="tab:red")
        panel.set(title=name, xlabel="the model's score", ylabel="Google's score", aspect="equal")
    for panel in list(axes)[len(fits) :]:
        panel.set_axis_off()
    path.parent.mkdir(parents=True, exist_ok=True)
    work = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        figure.savefig(work)
        work.replace(path)
    finally:
        work.unlink(missing_ok=True)
