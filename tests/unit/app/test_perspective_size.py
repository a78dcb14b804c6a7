"""The longest responses of the Perspective API, and that all of their work is within a turn."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from test_perspective_batch import part, responses, send

from tox_com_det.http.turn_parts import SHARE
from tox_com_det.http.turns import Turns
from tox_com_det.perspective.batch import MOST_PARTS, MOST_RESPONSE_BYTES
from tox_com_det.perspective.messages import MOST_ATTRIBUTES, MOST_LANGUAGES, MOST_TOKEN_BYTES
from tox_com_det.perspective.query import Format
from tox_com_det.perspective.scorer import MOST_SCORES, MOST_SPANS
from tox_com_det.perspective.service import Service
from tox_com_det.settings import Settings

ANALYZE = "/v1alpha1/comments:analyze"
INDENTED = f"POST {ANALYZE}?prettyPrint=true HTTP/1.1"
# The end of the comment of the largest size, where the positions are longest.
SENTENCES = "x" * 19_000 + " " + " ".join(f"you{number}." for number in range(MOST_SPANS))
EIGHT = {f"TOXICITY@{number}": {} for number in range(8)}


def versions(count: int, length: int = 0) -> dict[str, Any]:
    return {f"TOXICITY@{number}".ljust(length, "0"): {} for number in range(count)}


def longest(attributes: int) -> dict[str, Any]:
    """A request whose response is as long as one with so many attributes can be."""
    return {
        "comment": {"text": SENTENCES},
        "requestedAttributes": versions(attributes, 100),
        "spanAnnotations": True,
        "languages": ["en-".ljust(64, "\U0001f600")] * MOST_LANGUAGES,
        "clientToken": "\x01" * MOST_TOKEN_BYTES,
    }


@pytest.mark.parametrize("attributes", [32, 33, MOST_ATTRIBUTES])
def test_no_response_is_longer_than_a_megabyte(client: FlaskClient, attributes: int):
    assert len(SENTENCES) < 20_480
    response = client.post(ANALYZE, data=json.dumps(longest(attributes)))
    assert response.status_code == 200
    found = response.get_json()["attributeScores"]
    scores = sum(len(one["spanScores"]) for one in found.values())
    assert MOST_SCORES // 3 < scores <= MOST_SCORES
    assert len(response.data) < 1_000_000, len(response.data)


def test_the_attributes_that_clients_send_have_all_spans(client: FlaskClient):
    # conversationai-moderator sends 16, more than any other.
    for count in (6, 8, 16, 32):
        given = {**longest(count), "requestedAttributes": versions(count)}
        found = client.post(ANALYZE, data=json.dumps(given)).get_json()["attributeScores"]
        assert {len(one["spanScores"]) for one in found.values()} == {MOST_SPANS}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"clientToken": "x" * (MOST_TOKEN_BYTES + 1)}, "Value (16385) exceeded limit (16384)"),
        ({"clientToken": "\u00fc" * MOST_TOKEN_BYTES}, "Value (32768) exceeded limit (16384)"),
        ({"languages": ["en-".ljust(65, "x")]}, "64 characters at most"),
        ({"requestedAttributes": versions(1, 101)}, "Unknown requested attribute: TOXICITY@000"),
    ],
)
def test_what_a_response_repeats_is_bounded(client: FlaskClient, wrong: Any, words: str):
    response = client.post(ANALYZE, json={**longest(1), **wrong})
    assert response.status_code == 400
    assert words in response.get_json()["error"]["message"]


def test_a_thousand_comments_of_three_sentences_are_no_batch_too_large(client: FlaskClient):
    parts = [
        part(f"you {n}. are. great.", str(n), requestedAttributes=EIGHT, spanAnnotations=True)
        for n in range(MOST_PARTS)
    ]
    response = send(client, *parts)
    assert {status for _, status, _ in responses(response)} == {200}
    assert len(response.data) < MOST_RESPONSE_BYTES


FULL = {
    "comment": {"text": " ".join(f"you{number}." for number in range(MOST_SPANS))},
    "requestedAttributes": versions(32),
    "spanAnnotations": True,
}
WRONG = {"requestedAttributes": {"TOXICITY": {}}, "languages": ["a"] * MOST_LANGUAGES}


@pytest.mark.parametrize(
    ("count", "line", "name", "given"),
    [
        (400, INDENTED, "", FULL),
        (400, "", "", FULL),
        # Each is short, all of them are not.
        (MOST_PARTS, INDENTED, "", {"requestedAttributes": EIGHT, "spanAnnotations": True}),
        # The errors, and what is repeated of the requests.
        (MOST_PARTS, INDENTED, "", WRONG),
        (MOST_PARTS, INDENTED, "\u00fc" * 200, {}),
        (MOST_PARTS, INDENTED, "x" * 400, WRONG),
    ],
)
def test_no_response_to_a_batch_is_longer_than_stated(
    client: FlaskClient, count: int, line: str, name: str, given: dict[str, Any]
):
    parts = [part("you. are. so.", name + str(n), line=line, **given) for n in range(count)]
    if sum(map(len, parts)) > Settings.max_body_bytes:
        parts = parts[: Settings.max_body_bytes // len(parts[0].encode()) - 1]
    response = send(client, *parts)
    found = responses(response)
    assert len(found) == len(parts)
    assert len(response.data) <= MOST_RESPONSE_BYTES
    # What is beyond is told so.
    for _, status, content in found:
        assert status in (200, 400) or content["error"]["status"] == "RESOURCE_EXHAUSTED"


def test_beyond_the_longest_response_nothing_is_scored(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tox_com_det.perspective.batch_answers.MOST_RESPONSE_BYTES", 60_000)
    scored: list[int] = []
    score = Service.score

    def counted(service: Service, texts: list[str]) -> Any:
        scored.append(len(texts))
        return score(service, texts)

    monkeypatch.setattr(Service, "score", counted)
    parts = [part(requestedAttributes=versions(32), text=f"you {n}") for n in range(130)]
    found = responses(send(client, *parts))
    statuses = [status for _, status, _ in found]
    assert statuses == sorted(statuses)
    assert (statuses[0], statuses[-1]) == (200, 429)
    assert found[-1][2]["error"]["message"].startswith("The response to this batch is too large")
    # Of 62 comments with 32 attributes: so many are answered in one turn.
    assert scored == [62]


def in_turns(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each response is written within a turn, from now on."""
    seen: list[bool] = []

    def noted(method: Callable[..., bytes]) -> Callable[..., bytes]:
        def note(*arguments: Any) -> bytes:
            seen.append(SHARE.get() is not None)
            return method(*arguments)

        return note

    monkeypatch.setattr(Format, "dump", noted(Format.dump))
    return seen


def test_the_answers_to_a_batch_are_written_within_turns(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
):
    seen = in_turns(monkeypatch)
    suggested = {"attributeScores": {"TOXICITY": {"summaryScore": {"value": 1}}}}
    line = "POST /v1alpha1/comments:suggestscore HTTP/1.1"
    send(client, *[part()] * 100, part(line=line, **suggested))
    assert seen == [True] * 101


def test_a_batch_rests_between_its_requests(client: FlaskClient, monkeypatch: pytest.MonkeyPatch):
    """Whoever has used less goes first then, however many requests a batch has."""
    rests: list[str] = []
    steps = ("read_batch", "_begin", "_score")

    def rest(_: Turns) -> None:
        caller = sys._getframe(1).f_code.co_name
        if caller in steps:
            rests.append(caller)

    monkeypatch.setattr(Turns, "rest", rest)
    assert len(responses(send(client, *[part()] * 10))) == 10
    assert rests == [step for step in steps for _ in range(10)]


def test_an_answer_with_fields_is_written_within_its_turn(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
):
    seen = in_turns(monkeypatch)
    body = {"comment": {"text": "you"}, "requestedAttributes": {"TOXICITY": {}}}
    assert client.post(f"{ANALYZE}?fields=*(*)", json=body).status_code == 200
    assert seen == [True]
