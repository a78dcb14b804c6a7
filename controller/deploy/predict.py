"""Ask the service over HTTP as its users do, and show the scores."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

import requests

from controller.deploy.errors import DeployError
from tox_com_det.model.manifest import GoldenOutputs

__all__ = ["EXAMPLES", "Scores", "ask", "ask_known", "difference", "show"]

TIMEOUT_SECONDS = 20

# What `make up` shows at its end: a polite, a rude, a threatening, a plain and the article's own.
EXAMPLES = (
    "Thank you for your help with this article.",
    "You are an idiot and nobody likes you.",
    "Go to hell and die.",
    "The source for the second paragraph is missing.",
    "COCKSUCKER BEFORE YOU PISS AROUND ON MY WORK",
)


@dataclass(frozen=True)
class Scores:
    """The answer for one text: the model that gave it, and label -> score."""

    model: str
    scores: Mapping[str, float]


def ask(url: str, text: str) -> Scores:
    """POST one text to `<url>/predict`; DeployError when there are no scores in the answer."""
    address = f"{url}/predict"
    # A proxy of the laptop's surroundings must not stand between it and a server on loopback.
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
    raise DeployError(f"{address} answers {response.status_code}: {words}; see `fab status`")


def difference(expected: Sequence[float], labels: Sequence[str], got: Mapping[str, float]) -> float:
    """Return the largest difference between known scores and an answer; infinite for nonsense."""
    if sorted(labels) != sorted(got):
        return math.inf
    worst = 0.0
    for label, score in zip(labels, expected, strict=True):
        value = got[label]
        if not isinstance(value, int | float) or isinstance(value, bool) or math.isnan(value):
            return math.inf
        worst = max(worst, abs(value - score))
    return worst


def ask_known(url: str, known: GoldenOutputs, labels: Sequence[str], version: str) -> float:
    """Ask every known answer; return the largest difference.

    Raises DeployError at the first answer of another model or beyond the tolerance.
    """
    worst = 0.0
    for case in known.cases:
        answer = ask(url, case.text)
        if answer.model != version:
            raise DeployError(
                f"{url} is answered by model {answer.model}, not by {version}: "
                "was there a deploy just now? See `fab status`"
            )
        found = difference(case.scores, labels, answer.scores)
        if not found <= known.tolerance:
            raise DeployError(
                f"{url} scores {case.text[:60]!r} other than the bundle does (difference "
                f"{found:.2g}, tolerance {known.tolerance:g}): see `fab logs`, then deploy again"
            )
        worst = max(worst, found)
    return worst


def show(rows: Sequence[tuple[str, Mapping[str, float]]], out: TextIO = sys.stdout) -> None:
    """Print texts and their scores as a table."""
    labels = list(rows[0][1]) if rows else []
    if out.isatty():
        show_rich(rows, labels)
        return
    print("".join(f"{label:>14}" for label in labels) + "  comment", file=out)
    for text, scores in rows:
        print("".join(f"{scores[label]:>14.3f}" for label in labels) + f"  {text}", file=out)


def show_rich(rows: Sequence[tuple[str, Mapping[str, float]]], labels: Sequence[str]) -> None:
    """Print the table with rules and the high scores marked."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_lines=False)
    table.add_column("comment", overflow="fold", min_width=24)
    for label in labels:
        table.add_column(label, justify="right", overflow="fold")
    for text, scores in rows:
        cells = [
            Text(f"{scores[label]:.3f}", style="bold red" if scores[label] >= 0.5 else "")
            for label in labels
        ]
        table.add_row(Text(text), *cells)
    Console().print(table)
