"""`fab collect-scores`: asks Google for the scores of one's own comments, at the allowed rate."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controller.deploy.errors import DeployError
from controller.progress import step_progress
from controller.scores.google import Perspective, Refused, Unavailable
from controller.scores.pairs import Pairs
from controller.scores.retries import MOST_FAILURES, pause, print_line

__all__ = ["ATTRIBUTES", "Collected", "collect"]

ATTRIBUTES = (
    "TOXICITY",
    "SEVERE_TOXICITY",
    "IDENTITY_ATTACK",
    "INSULT",
    "PROFANITY",
    "THREAT",
)


@dataclass
class Collected:
    """Numbers of texts: scored or refused now, and those that the file had before."""

    scored: int = 0
    refused: int = 0
    before: int = 0


def collect(
    perspective: Perspective,
    pairs: Pairs,
    texts: Sequence[str],
    attributes: Sequence[str],
    language: str,
    rate: float,
    sleep: Callable[[float], None] = time.sleep,
) -> Collected:
    """Ask for every text that the file does not have yet.

    Args:
        perspective: whom to ask.
        pairs: where the answers go, text by text.
        texts: the comments.
        attributes: their scores are asked for.
        language: of the comments.
        rate: requests per second.
        sleep: waits for a number of seconds.

    Raises:
        DeployError: the key is refused, or there was no answer for too long. What was collected is
            kept.
    """
    result = Collected()
    with step_progress("collecting scores", len(texts), print_line) as step:
        for number, text in enumerate(texts, 1):
            wanted = pairs.missing(text, attributes)
            if not wanted:
                result.before += 1
                step(number)
                continue
            begin = time.monotonic()
            try:
                pairs.add_scores(text, _patiently(perspective, text, wanted, language, sleep))
                result.scored += 1
            except Refused as problem:
                pairs.add_problem(text, wanted, str(problem))
                result.refused += 1
            step(number)
            if number < len(texts):
                sleep(max(0.0, 1 / rate - (time.monotonic() - begin)))
    return result


def _patiently(
    perspective: Perspective,
    text: str,
    attributes: Sequence[str],
    language: str,
    sleep: Callable[[float], None],
) -> dict[str, float]:
    """Ask again, after longer and longer pauses."""
    for failures in range(MOST_FAILURES):
        try:
            return perspective.scores(text, attributes, language)
        except Unavailable as problem:
            last = problem
            pause(failures, problem.wait, str(problem), print_line, sleep)
    raise DeployError(
        f"{last} {MOST_FAILURES} times in a row: rerun `fab collect-scores` later, it continues "
        "where it stopped"
    )
