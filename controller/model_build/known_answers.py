"""The bundle's own scores for a fixed set of texts, held against Keras' where those are known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from controller.model_build.errors import BuildError
from controller.model_build.scoring import TextScorer, run

# What a deploy accepts between the laptop's processor and the server's.
TOLERANCE = 1e-4
# What a build accepts between Keras and the converted head.
REFERENCE_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Reference:
    """Keras' scores for texts, as recorded where Keras was (`reference.json`)."""

    scores: dict[str, list[float]]
    keras: str


def read_reference(path: Path, labels: int) -> Reference:
    """Read `{"keras": version, "texts": [...], "scores": [[...], ...]}`.

    Raises:
        BuildError: unreadable, or not in that form with `labels` finite scores per text.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        texts, scores, keras = data["texts"], data["scores"], data.get("keras", "unknown")
        numbers = np.array(scores, np.float64)
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("texts are not all text")
        if numbers.shape != (len(texts), labels) or not np.isfinite(numbers).all():
            raise ValueError(f"wanted {len(texts)} rows of {labels} numbers as scores")
    except OSError as error:
        raise BuildError(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BuildError(
            f"{path}: not a reference ({error!r}): wanted "
            '{"keras": version, "texts": [...], "scores": [[...]]}'
        ) from error
    return Reference(dict(zip(texts, numbers.tolist(), strict=True)), str(keras))


def known_answers(
    session: onnxruntime.InferenceSession,
    scorer: TextScorer,
    rows: Mapping[str, bytes],
    texts: Sequence[str],
    reference: Reference | None,
    allowed: float = REFERENCE_TOLERANCE,
) -> dict[str, Any]:
    """The manifest's `known_answers`: the head's scores and Keras', with their difference.

    Args:
        rows: vectors (or indices) of at least the known words of the texts.
        allowed: largest difference from Keras; beyond 1e-5 only for vectors that were rounded.

    Raises:
        BuildError: a score is not finite, or differs from Keras' by more than `allowed`.
    """
    # One text at a time: the server asks so, and a batch may sum in another order.
    scores = [run(session, scorer.inputs([text], rows))[0] for text in texts]
    cases: list[dict[str, Any]] = []
    largest: float | None = None
    for text, row in zip(texts, scores, strict=True):
        if not np.isfinite(row).all():
            raise BuildError(f"the head's scores for {text[:60]!r} are not finite: {row.tolist()}")
        expected = reference.scores.get(text) if reference else None
        if expected is not None:
            difference = float(np.abs(row.astype(np.float64) - expected).max())
            if difference > allowed:
                raise BuildError(
                    f"the head differs from Keras by {difference:.2g} for {text[:60]!r} (allowed "
                    f"{allowed:g}): the reference, the word index, the padding or "
                    "num_words belongs to another model"
                )
            largest = max(largest or 0.0, difference)
        cases.append({"text": text, "scores": row.astype(float).tolist(), "reference": expected})
    return {"tolerance": TOLERANCE, "cases": cases, "reference_max_difference": largest}
