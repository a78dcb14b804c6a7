"""The figures of a model's card, in one line for the page of the service.

`python -m controller.model_card` writes them beside the card, and `fab train` does. They are text
among what the bundle was built with, which every app reads and no version depends on.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from controller.model_build.score_maps import manifest_text
from tox_com_det.model.bundle import MANIFEST_FILE
from tox_com_det.model.manifest import Manifest

__all__ = ["FIGURES_FILES", "KEY", "add_figures"]

# Beside the .h5: of MODEL_CARD.md, and of the CARD.md that `fab train` writes.
FIGURES_FILES = ("model_card_files/figures.json", "card_files/figures.json")
KEY = "figures"


def add_figures(bundle: Path, manifest: Manifest, path: Path) -> Manifest:
    """Write the figures into the bundle's manifest, if they are this model's."""
    line = _line(manifest, path)
    if not line:
        return manifest
    manifest = replace(manifest, built_with={**manifest.built_with, KEY: line})
    (bundle / MANIFEST_FILE).write_text(manifest_text(manifest), encoding="utf-8")
    return manifest


def _line(manifest: Manifest, path: Path) -> str:
    """ROC-AUC of each label on each set of comments; "" if these are another model's figures."""
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        if found["model"] != manifest.model_version:
            return ""
        return "; ".join(
            f"{name}: "
            + ", ".join(f"{label} {_number(labels[label]['auc'])}" for label in manifest.labels)
            for name, labels in found["sets"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""


def _number(auc: float | None) -> str:
    """A figure, which a label without an example in the comments does not have."""
    return "-" if auc is None else f"{auc:.3f}"
