"""One request to Google's Perspective API, or to a server that answers like it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.deploy.errors import DeployError
from controller.scores.retries import asked_pause

# Imported where it is used: it takes 8 MB, which a build of a model has no use for.
if TYPE_CHECKING:
    import requests

__all__ = ["ADDRESS", "Perspective", "Refused", "Unavailable", "read_key"]

ADDRESS = "https://commentanalyzer.googleapis.com"
_SECONDS = 10.0
_OF_A_TEXT = ("LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE", "COMMENT_TOO_LONG", "COMMENT_EMPTY")


class Refused(Exception):
    """The text cannot be scored; another one may be."""


class Unavailable(Exception):
    """No answer, or too many requests: the same request may succeed later.

    `wait`: seconds that the server asks for, or None.
    """

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


def read_key(path: Path) -> str:
    """Return the API key in a file.

    Raises:
        DeployError: not readable, or not one word.
    """
    try:
        words = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise DeployError(
            f"{path}: {reason}: write Google's API key to a file and name it with --google-key-file"
        ) from None
    if len(words) != 1 or not words[0].isascii() or not words[0].isprintable():
        raise DeployError(f"{path}: expected Google's API key, one word, in it")
    return words[0]


class Perspective:
    """Sends requests over one connection. The key is in a header, so it is in no address."""

    def __init__(self, address: str, key: str) -> None:
        """`address`: without the path, such as `ADDRESS`."""
        import requests

        self._url = address.rstrip("/") + "/v1alpha1/comments:analyze"
        self._address = address
        self._session = requests.Session()
        self._session.headers["x-goog-api-key"] = key

    def scores(self, text: str, attributes: Sequence[str], language: str) -> dict[str, float]:
        """Return the summary scores of a text, 0 to 1.

        Raises:
            Refused: the text cannot be scored.
            Unavailable: try again later.
            DeployError: no request will succeed: the key, an attribute, the address.
        """
        import requests

        body = {
            "comment": {"text": text},
            "languages": [language],
            "requestedAttributes": {name: {} for name in attributes},
            "doNotStore": True,
        }
        try:
            response = self._session.post(
                self._url, json=body, timeout=_SECONDS, allow_redirects=False
            )
        except requests.RequestException as error:
            if isinstance(error, ValueError):  # an address, or that of a proxy
                raise DeployError(
                    f"{self._address} cannot be asked ({error}): check --address"
                ) from None
            raise Unavailable(f"{self._address} does not answer ({type(error).__name__})") from None
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if response.status_code == 200:
            return self._summary_scores(answer, attributes)
        raise self._problem(response, answer if isinstance(answer, dict) else {})

    def _summary_scores(self, answer: Any, attributes: Sequence[str]) -> dict[str, float]:
        try:
            found = answer["attributeScores"]
            return {name: float(found[name]["summaryScore"]["value"]) for name in attributes}
        except (KeyError, TypeError, ValueError):
            raise DeployError(
                f"{self._address} does not answer as Perspective does: check --address"
            ) from None

    def _problem(self, response: requests.Response, answer: Mapping[str, Any]) -> Exception:
        status = response.status_code
        error = answer.get("error")
        message = str(error.get("message", "")) if isinstance(error, dict) else ""
        details = error.get("details") if isinstance(error, dict) else None
        kinds = [one.get("errorType") for one in details or () if isinstance(one, dict)]
        if status == 429 or status >= 500:
            return Unavailable(
                f"HTTP {status}", asked_pause(response.headers.get("Retry-After", ""))
            )
        if status == 400 and any(kind in _OF_A_TEXT for kind in kinds):
            return Refused(next(kind for kind in kinds if kind in _OF_A_TEXT))
        words = message.splitlines()[0][:200] if message else f"HTTP {status}"
        return DeployError(
            f"{self._address} refuses the request: {words}: check the key and --attributes"
        )
