"""The scores of a running service, before any score map: many texts over `POST /predict`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from controller.deploy.errors import DeployError
from controller.deploy.predict import open_session
from controller.scores.retries import MOST_FAILURES, asked_pause, pause, print_line

# Imported where it is used: it takes 8 MB, which a build of a model has no use for.
if TYPE_CHECKING:
    import requests

__all__ = ["Refused", "Service"]

_SECONDS = 60.0
_LIMITS = {"texts": 32, "characters_per_text": 20000, "body_bytes": 1048576}
Scores = Mapping[str, float]


class Refused(Exception):
    """The service does not take these texts; a part of them it may."""


class Service:
    """Sends texts over one connection, as many at once as the service takes.

    Attributes:
        model: the version of the model that answered, "" before the first answer.
    """

    def __init__(
        self,
        url: str,
        sleep: Callable[[float], None] = time.sleep,
        key: str | None = None,
        pin: str | None = None,
        say: Callable[[str], None] = print_line,
    ) -> None:
        """Ask nothing yet.

        Args:
            url: without a path.
            sleep: waits for a number of seconds.
            key: an API key, for a service that requires one.
            pin: SHA-256 in hex of a certificate that no public authority vouches for.
            say: gets a line before each wait.
        """
        self.model = ""
        self._url = url.rstrip("/")
        self._sleep = sleep
        self._say = say
        self._headers = {"X-Api-Key": key} if key else {}
        self._pin = pin
        self._session = open_session(self._url, pin)
        self._limits: dict[str, int] = {}
        self._answered = False

    def score(self, texts: Sequence[str]) -> Iterator[list[tuple[str, Scores | None]]]:
        """Yield texts with their scores by label, some at a time; None: refused.

        Raises:
            DeployError: no answer for too long, or one without scores.
        """
        if not self._limits:
            self._limits = self._ask_limits()
        for group in self._groups(texts):
            yield list(self._score_group(group))

    def _ask_limits(self) -> dict[str, int]:
        found = self._request("GET", "/limits", None)
        try:
            return {name: max(1, int(found.get(name, least))) for name, least in _LIMITS.items()}
        except (AttributeError, TypeError, ValueError):
            raise self._strange("/limits") from None

    def _groups(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """Neighbours together, within the limits of one request."""
        group: list[str] = []
        size = 0
        for text in texts:
            length = len(json.dumps(text)) + 2
            full = len(group) == self._limits["texts"]
            if group and (full or size + length > self._limits["body_bytes"] - 64):
                yield group
                group, size = [], 0
            group.append(text)
            size += length
        if group:
            yield group

    def _score_group(self, texts: Sequence[str]) -> Iterator[tuple[str, Scores | None]]:
        most = self._limits["characters_per_text"]
        yield from ((text, None) for text in texts if len(text) > most)
        texts = [text for text in texts if len(text) <= most]
        if not texts:
            return
        try:
            yield from zip(texts, self._predict(texts), strict=True)
        except Refused:
            if len(texts) == 1:
                yield texts[0], None
                return
            middle = len(texts) // 2
            yield from self._score_group(texts[:middle])
            yield from self._score_group(texts[middle:])

    def _predict(self, texts: Sequence[str]) -> Sequence[Scores]:
        # Half of a surrogate pair is no UTF-8; the Perspective API replaces it in the same way.
        sent = [
            text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts
        ]
        answer = self._request("POST", "/predict", {"texts": sent})
        try:
            model = str(answer["model"])
            scores = [
                {str(label): float(value) for label, value in one["scores"].items()}
                for one in answer["results"]
            ]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._strange("/predict") from None
        if len(scores) != len(texts):
            raise self._strange("/predict")
        if self.model not in ("", model):
            raise DeployError(
                f"{self._url} is now answered by model {model}, before by {self.model}: there was "
                "a deploy just now: rerun the command"
            )
        self.model = model
        return scores

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        """The answer's JSON; asks again, after longer and longer pauses."""
        import requests

        last = ""
        for failures in range(MOST_FAILURES):
            asked = None
            try:
                response = self._send(method, self._url + path, body)
            except requests.RequestException as error:
                if isinstance(error, ValueError):  # an address, or that of a proxy
                    raise DeployError(
                        f"{self._url} cannot be asked ({error}): name another address with --url"
                    ) from None
                if not self._answered and isinstance(error, requests.ConnectionError):
                    reason = getattr(error.args[0], "reason", error) if error.args else error
                    raise DeployError(
                        f"{self._url} does not answer ({reason}): see `fab status`"
                    ) from None
                last = type(error).__name__
            else:
                self._answered = True
                if response.status_code == 200:
                    try:
                        return response.json()
                    except ValueError:
                        raise self._strange(path) from None
                last = f"HTTP {response.status_code}"
                if response.status_code == 401:
                    raise DeployError(
                        f"{self._url} requires a valid key: name the file of one with --key-file "
                        "(`fab add-key` makes it)"
                    )
                if response.status_code in (400, 413):
                    raise Refused(last)
                if response.status_code != 429 and response.status_code < 500:
                    raise self._strange(path, last)
                asked = asked_pause(response.headers.get("Retry-After", ""))
            pause(failures, asked, f"{self._url}{path}: {last}", self._say, self._sleep)
        raise DeployError(
            f"{self._url}{path}: {last} {MOST_FAILURES} times in a row: see `fab status`, then "
            "rerun the command"
        )

    def _send(self, method: str, address: str, body: Mapping[str, Any] | None) -> requests.Response:
        import requests

        try:
            return self._session.request(
                method,
                address,
                json=body,
                headers=self._headers,
                timeout=_SECONDS,
                allow_redirects=False,
            )
        except requests.exceptions.SSLError:
            if self._pin is None:
                raise
        # Another server stands in front of this one, with a certificate of its own.
        self._pin = None
        self._session = open_session(self._url)
        return self._send(method, address, body)

    def _strange(self, path: str, what: str = "an answer of another form") -> DeployError:
        return DeployError(
            f"{self._url}{path} gives {what}: name the address of a service of this project with "
            "--url"
        )
