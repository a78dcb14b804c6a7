"""The client of the service: asks over HTTP as its users do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from controller.deploy.errors import DeployError
from tox_com_det.model.manifest import GoldenOutputs
from toxctl.golden import largest_difference, mismatch

# Imported where it is used: it takes 8 MB, which a build of a model has no use for.
if TYPE_CHECKING:
    import requests

__all__ = [
    "ARTICLE_EXAMPLE",
    "EXAMPLES",
    "KeyRefused",
    "Scores",
    "ask",
    "compare_golden",
    "read_key",
]

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


class KeyRefused(DeployError):
    """The service answers, and requires another key than it was sent, or any."""


def read_key(path: Path) -> str:
    """Return the API key in a file; DeployError if it is not readable, or not one word."""
    try:
        words = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise DeployError(f"{path}: {reason}: name a file with a key of `fab add-key`") from None
    if len(words) != 1 or not words[0].isascii() or not words[0].isprintable():
        raise DeployError(f"{path}: expected one word in it, a key of `fab add-key`")
    return words[0]


def ask(url: str, text: str, pin: str | None = None, key: str | None = None) -> Scores:
    """POST one text to `<url>/predict`.

    Args:
        url: address of the service.
        text: what is scored.
        pin: SHA-256 in hex of a certificate to accept beside those that authorities vouch for.
        key: an API key.

    Raises:
        KeyRefused: a valid key is required.
        DeployError: the answer has no scores.
    """
    import requests

    address = f"{url}/predict"
    try:
        response = _post(address, text, pin, key)
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
    if response.status_code == 401:
        raise KeyRefused(f"{address}: {words}: run `fab test-model --key-file FILE`")
    raise DeployError(f"{address} answered {response.status_code}: {words}; see `fab status`")


def _post(address: str, text: str, pin: str | None, key: str | None) -> requests.Response:
    import requests

    headers = {"X-Api-Key": key} if key else {}
    with open_session(address, pin) as session:
        try:
            return session.post(
                address, json={"text": text}, headers=headers, timeout=TIMEOUT_SECONDS
            )
        except requests.exceptions.SSLError:
            if not pin:
                raise
    # Another server stands in front of this one, with a certificate of its own.
    return _post(address, text, None, key)


def open_session(address: str, pin: str | None = None) -> requests.Session:
    """Return a session for a server; `pin` as for `ask`.

    A proxy in the laptop's environment must not come between it and a server on loopback.
    """
    import requests

    from controller.deploy.pinned import Pinned

    session = requests.Session()
    session.trust_env = not address.startswith(("http://127.", "http://localhost", "http://[::1"))
    if pin:
        session.mount("https://", Pinned(pin))
        session.trust_env = session.verify = False  # the fingerprint is verified instead
    return session


def compare_golden(
    url: str,
    golden: GoldenOutputs,
    labels: Sequence[str],
    version: str,
    pin: str | None = None,
    key: str | None = None,
) -> float:
    """Ask every golden output; return the largest difference.

    Raises DeployError at the first answer of another model or beyond the tolerance.
    """
    worst = 0.0
    for case in golden.cases:
        answer = ask(url, case.text, pin, key)
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
