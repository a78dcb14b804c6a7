"""The client of the service: asks over HTTP as its users do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import requests

from controller.deploy.errors import DeployError
from tox_com_det.model.manifest import GoldenOutputs
from toxctl.golden import largest_difference, mismatch

__all__ = ["ARTICLE_EXAMPLE", "EXAMPLES", "Scores", "ask", "compare_golden"]

TIMEOUT_SECONDS = 20

# What `make up` scores at its end: a polite, a rude, a threatening, a plain and a critical comment.
EXAMPLES = (
    "Thank you for your help with this article.",
    "You are an idiot and nobody likes you.",
    "Go to hell and die.",
    "The source for the second paragraph is missing.",
    "You clearly have no idea what you are talking about.",
)
# The article's own comment. It contains a slur, so it is scored only on request.
ARTICLE_EXAMPLE = "COCKSUCKER BEFORE YOU PISS AROUND ON MY WORK"


@dataclass(frozen=True)
class Scores:
    """The answer for one text: the model that gave it, and label -> score."""

    model: str
    scores: Mapping[str, float]


def ask(url: str, text: str) -> Scores:
    """POST one text to `<url>/predict`; DeployError if the answer has no scores."""
    address = f"{url}/predict"
    # A proxy in the laptop's environment must not come between it and a server on loopback.
    with requests.Session() as session:
        session.trust_env = not address.startswith(
            ("http://127.", "http://localhost", "http://[::1")
        )
        try:
            response = session.post(address, json={"text": text}, timeout=TIMEOUT_SECONDS)
        except requests.RequestException as error:
            reason = getattr(error.args[0], "reason", error) if error.args else error
            raise DeployError(f"{address} does not answer ({reason}): see `fab status`") from None
    try:
        body = response.json()
        if response.status_code == 200:
            return Scores(body["model"], dict(body["scores"]))
        words = body["error"]["message"]
    except (ValueError, KeyError, TypeError):
        words = " ".join(response.text.split())[:200]
    raise DeployError(f"{address} answered {response.status_code}: {words}; see `fab status`")


def compare_golden(url: str, golden: GoldenOutputs, labels: Sequence[str], version: str) -> float:
    """Ask every golden output; return the largest difference.

    Raises DeployError at the first answer of another model or beyond the tolerance.
    """
    worst = 0.0
    for case in golden.cases:
        answer = ask(url, case.text)
        if answer.model != version:
            raise DeployError(
                f"{url} is answered by model {answer.model}, not by {version}: was there a deploy "
                "just now? See `fab status`"
            )
        problem = mismatch(case.text, case.scores, labels, answer.scores, golden.tolerance)
        if problem:
            raise DeployError(
                f"golden output differs at {url}: {problem}; see `fab logs`, then deploy again"
            )
        worst = max(worst, largest_difference(case.scores, labels, answer.scores))
    return worst
