"""The scores of many texts from a running service, kept in a file so that a run can continue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from controller.deploy.errors import DeployError
from controller.progress import step_progress
from controller.scores.pairs import Pairs
from controller.scores.service import Service
from controller.scores.table import read_scores
from tox_com_det.model.manifest import Manifest
from toxctl.golden import mismatch

__all__ = ["check_model", "model_labels", "model_scores"]

# Asked first, to learn the model's version.
_PROBE = "Thank you for your help with this article."


def check_model(service: Service, manifest: Manifest) -> None:
    """Check that the service runs the bundle's model, with or without score maps.

    Raises:
        DeployError: a golden output differs.
    """
    golden = manifest.golden_outputs
    expected = {case.text: case.scores for case in golden.cases}
    for group in service.score(list(expected)):
        for text, scores in group:
            problem = mismatch(
                text, expected[text], manifest.labels, scores or {}, golden.tolerance
            )
            if problem:
                raise DeployError(
                    f"the service runs another model than the bundle ({problem}): run "
                    "`fab deploy-model`, or name the live model's bundle with --bundle"
                )


def model_labels(service: Service) -> list[str]:
    """Return the labels of the service's model. Raises DeployError: no answer."""
    ((_, scores),) = next(service.score([_PROBE]))
    return list(scores or {})


def model_scores(
    service: Service, texts: Sequence[str], directory: Path
) -> dict[str, Mapping[str, float]]:
    """Return the model's scores by text and label; texts that the service refuses are left out.

    Args:
        service: whom to ask for what is not in the file.
        texts: each once.
        directory: where the file of the model's scores is, one for each version.

    Raises:
        DeployError: the service does not answer, or the disk is full. What was scored is kept.
    """
    if not service.model:
        model_labels(service)
    path = directory / f"model-{service.model}.csv"
    stored = Pairs(path, other="remove the file: its scores are computed again")
    known = read_scores(path)
    # Of a text whose rows a killed process wrote in part, all scores are asked for again.
    most = max(map(len, known.values()), default=0)
    known = {text: scores for text, scores in known.items() if len(scores) == most}
    found: dict[str, Mapping[str, float]] = {text: known[text] for text in texts if text in known}
    left = [text for text in texts if text not in known]
    with step_progress("scoring", len(texts), lambda line: print(line, flush=True)) as step:
        for group in service.score(left):
            stored.add(
                [
                    (text, label, repr(value), "")
                    for text, scores in group
                    for label, value in (scores or {}).items()
                ]
            )
            found.update((text, scores) for text, scores in group if scores)
            step(len(found))
    return found
