"""Keras' own scores for texts, recorded where Keras was available (`reference.json`)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from controller.model_build.errors import BuildError
from tox_com_det.strict_json import integer


@dataclass(frozen=True)
class Reference:
    """Scores by text, one per label, and the version of Keras that computed them."""

    scores: dict[str, list[float]]
    keras: str


def read_reference(path: Path, labels: int) -> Reference:
    """Read `{"keras": version, "texts": [...], "scores": [[...], ...]}`.

    Args:
        labels: number of scores per text.

    Raises:
        BuildError: unreadable, or not in this form with finite scores.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"), parse_int=integer)
        texts, scores, keras = data["texts"], data["scores"], data.get("keras", "unknown")
        numbers = np.array(scores, np.float64)
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("texts contains something other than text")
        if numbers.shape != (len(texts), labels) or not np.isfinite(numbers).all():
            raise ValueError(f"scores must be {len(texts)} rows of {labels} numbers")
    except OSError as error:
        raise BuildError(
            f"{path}: {error.strerror}: name the file with Keras' scores with --reference"
        ) from error
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise BuildError(
            f"{path}: not a reference ({error!r}): the form must be "
            '{"keras": version, "texts": [...], "scores": [[...]]}'
        ) from error
    return Reference(dict(zip(texts, numbers.tolist(), strict=True)), str(keras))
