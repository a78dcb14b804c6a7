"""Asks a slot over HTTP, through nginx's loopback server: is it ready, are its answers right."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from toxctl import golden
from toxctl.errors import NginxDown, NotReady, ToxctlError
from toxctl.manifest import Expected

__all__ = ["LIVE_REQUEST_SECONDS", "REQUEST_SECONDS", "ask", "check_golden", "check_ready"]

REQUEST_SECONDS = 10.0
LIVE_REQUEST_SECONDS = 3.0  # clients wait behind a live slot that hangs
# Checks of /readyz that waiting does not repair; version 0.1 says known_answers.
LASTING = ("manifest", "head", "golden_outputs", "known_answers")
# The checks of /readyz, and the kinds of error that they are.
CHECKS = {
    "manifest": "manifest",
    "head": "head",
    "collection": "collection",
    "golden_outputs": "golden",
    "known_answers": "golden",
}
ANSWER_BYTES = 1 << 20

# A proxy of the environment must never see, or answer, a probe of this machine.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(
    url: str, body: Mapping[str, Any] | None = None, seconds: float = REQUEST_SECONDS
) -> tuple[int, Any]:
    """Send a GET, or a POST if there is a body.

    Returns:
        HTTP status, and the answer as parsed JSON or as text.

    Raises:
        NginxDown: nothing accepts the connection.
        NotReady: there is no answer.
    """
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "toxctl"}
    request = urllib.request.Request(url, data=data, headers=headers)  # noqa: S310 (url of server.json)
    try:
        with OPENER.open(request, timeout=seconds) as response:
            status, raw = response.status, response.read(ANSWER_BYTES)
    except urllib.error.HTTPError as error:
        with error:
            status, raw = error.code, error.read(ANSWER_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ConnectionRefusedError):
            raise NginxDown(url) from None
        raise NotReady(f"{url} does not answer: {reason}") from None
    except Exception as error:  # http.client raises its own family for broken answers
        raise NotReady(f"{url} returned invalid output: {error}") from None
    try:
        return status, json.loads(raw)
    except (ValueError, RecursionError):
        return status, raw.decode("utf-8", "replace")


def _in_one_line(status: int, answer: Any) -> str:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return f"{status} {' '.join(text.split())[:600]}"


def _in_full(status: int, answer: Any) -> str:
    text = answer if isinstance(answer, str) else json.dumps(answer, indent=1)
    return f"the answer was {status}:\n{text[:4000]}"


def check_ready(
    base: str, model: str, slot: str | None = None, seconds: float = REQUEST_SECONDS
) -> None:
    """Ask /readyz, and /livez for the slot where /readyz does not name it.

    Args:
        base: the slot's address on the loopback server.
        model: the model version that must answer.
        slot: the slot that must answer; None accepts any.

    Raises:
        NotReady: not yet.
        ToxctlError: another model or slot, or a fault that waiting does not repair.
    """
    status, answer = ask(base + "/readyz", seconds=seconds)
    if status != 200:
        raise _refusal(f"{base}/readyz returned {_in_one_line(status, answer)}", status, answer)
    if not isinstance(answer, dict) or answer.get("model") != model:
        raise ToxctlError(
            f"{base}/readyz is of another model than {model}: {_in_one_line(200, answer)}",
            details=_in_full(status, answer),
        )
    if slot is not None:
        found = answer.get("slot")
        if found is None:
            status, live = ask(base + "/livez", seconds=seconds)
            found = live.get("slot") if isinstance(live, dict) else None
        if found != slot:
            raise ToxctlError(f"{base} is answered by slot {found}, not by {slot}")


def _refusal(words: str, status: int, answer: Any) -> ToxctlError:
    """Return the error for a /readyz that is not 200."""
    details = _in_full(status, answer)
    checks = answer.get("checks") if isinstance(answer, dict) else None
    kind = _failed_check(checks) if isinstance(checks, dict) else "other"
    if isinstance(checks, dict) and any(
        checks.get(name, "ok") not in ("ok", "not checked") for name in LASTING
    ):
        return ToxctlError(words, kind, details)
    error = NotReady(words, kind, details)
    # Only the app's own JSON counts as its word; nginx's 502 means that it is not up yet.
    error.by_app = isinstance(answer, dict) and "checks" in answer
    return error


def _failed_check(checks: Mapping[str, Any]) -> str:
    """Return the kind of the check that failed, by its name and the app's words."""
    name, problem = next(
        ((name, one) for name, one in checks.items() if one not in ("ok", "not checked")), ("", "")
    )
    if name == "collection" and str(problem).startswith("MongoDB at"):
        return "database"
    return CHECKS.get(name, "other")


def check_golden(
    base: str, expected: Expected, limit: int | None = None, seconds: float = REQUEST_SECONDS
) -> int:
    """Ask the texts of the golden outputs and compare the scores.

    Args:
        base: the slot's address on the loopback server.
        expected: the golden outputs.
        limit: how many of them; None for all.
        seconds: for each request.

    Returns:
        How many were asked.

    Raises:
        NotReady: a 5xx, or no answer.
        ToxctlError: the first answer that is wrong.
    """
    cases = expected.cases[:limit]
    for case in cases:
        status, answer = ask(base + "/predict", {"text": case.text}, seconds)
        if status != 200:
            kind = NotReady if status >= 500 else ToxctlError
            words = f"{base}/predict returned {_in_one_line(status, answer)} ({case.text!r})"
            raise kind(words, details=_in_full(status, answer))
        wrong = _mismatch(case.text, case.scores, expected, answer)
        if wrong:
            words = f"a golden output differs through {base}: {wrong}"
            raise ToxctlError(words, "golden", _in_full(status, answer))
    return len(cases)


def _mismatch(text: str, scores: list[float], expected: Expected, answer: Any) -> str:
    """Return how an answer of /predict differs from a golden output; "" if it does not."""
    if not isinstance(answer, dict) or answer.get("model") != expected.model:
        return f"the answer is not of model {expected.model}: {json.dumps(answer)[:300]}"
    found = answer.get("scores")
    if not isinstance(found, dict):
        return f"the answer has no scores: {json.dumps(answer)[:300]}"
    return golden.mismatch(text, scores, expected.labels, found, expected.tolerance)
