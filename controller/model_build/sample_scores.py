"""How the scores of a sample of comments are distributed, for the service's metrics.

A server whose scores are distributed otherwise gets other comments than those that the model was
chosen for. The shares are text among what the bundle was built with, which every app reads and no
version depends on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from controller.deploy.errors import DeployError
from controller.model_build.errors import BuildError
from controller.model_build.score_maps import manifest_text
from controller.model_card.scorer import Scorer
from controller.model_train.errors import TrainError
from controller.scores.texts import all_texts
from tox_com_det.metrics.expected import BOUNDS, KEY
from tox_com_det.model.bundle import MANIFEST_FILE
from tox_com_det.model.manifest import Manifest

__all__ = ["add_sample", "read_sample"]

_FEWEST = 100


def read_sample(path: Path) -> list[str]:
    """The comments of a file (`all_texts`), each as often as it occurs.

    Raises:
        BuildError: they cannot be read, or are too few for a distribution.
    """
    try:
        texts = all_texts(path, option="--sample", name_column="call it text")
    except DeployError as error:
        raise BuildError(str(error)) from None
    if len(texts) < _FEWEST:
        raise BuildError(
            f"{path}: {len(texts)} comments, at least {_FEWEST} make a distribution: give more, "
            "one per line"
        )
    return texts


def add_sample(
    bundle: Path, manifest: Manifest, texts: Sequence[str], say: Callable[[str], None]
) -> Manifest:
    """Score the sample with a complete bundle, and write the shares into its manifest.

    Raises:
        BuildError: the bundle cannot be read again.
    """
    try:
        scores = Scorer(bundle, texts).score(texts, "the sample", say)
    except TrainError as error:
        raise BuildError(str(error)) from None
    shares = {
        label: [round(float(np.mean(scores[:, at] <= bound)), 6) for bound in BOUNDS]
        for at, label in enumerate(manifest.labels)
    }
    told = json.dumps({"texts": len(texts), "shares": shares}, separators=(",", ":"))
    manifest = replace(manifest, built_with={**manifest.built_with, KEY: told})
    (bundle / MANIFEST_FILE).write_text(manifest_text(manifest), encoding="utf-8")
    say(f"the distribution of the scores of {len(texts)} comments is in the manifest")
    return manifest
