"""API keys: where clients send them, when they are required, and their limits."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient
from test_perspective_batch import MIXED, part, responses
from werkzeug.test import TestResponse

from tox_com_det.keys import key_file, quotas
from tox_com_det.keys.buckets import OwnBuckets
from tox_com_det.keys.key_file import KeyFile
from tox_com_det.keys.quotas import Quotas

KEY = "toxcomdet_" + "k" * 32
OTHER = "toxcomdet_" + "o" * 32
BODY = {"comment": {"text": "you are"}, "requestedAttributes": {"TOXICITY": {}}}
ANALYZE = "/v1alpha1/comments:analyze"
SUGGEST = "/v1alpha1/comments:suggestscore"
SUGGESTION = {
    "comment": {"text": "you are"},
    "attributeScores": {"TOXICITY": {"summaryScore": {"value": 1}}},
}
LIMITS = {"X-Tox-Com-Det-Limits": "requests_per_second=1 burst=2 connections=50"}
KEYED = {**LIMITS, "X-Tox-Com-Det-Keyed": "1"}

Make = Callable[..., FlaskClient]


def entry(key: str, rate: int | None = None, ends: str | None = None) -> dict[str, Any]:
    return {
        "id": hashlib.sha256(key.encode()).hexdigest()[:8],
        "name": key[-4:],
        "sha256": hashlib.sha256(key.encode()).hexdigest(),
        "requests_per_second": rate,
        "ends": ends,
        "created": "2026-11-01T00:00:00Z",
    }


def write(path: Path, *entries: dict[str, Any]) -> None:
    """As `toxctl keys` does: by rename."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"version": 1, "keys": list(entries)}))
    new.replace(path)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    write(path, entry(KEY))
    return path


@pytest.fixture(autouse=True)
def _stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow machine buckets fill during a test."""
    monkeypatch.setattr(quotas, "time", SimpleNamespace(monotonic=lambda: 0.0))


@pytest.fixture
def required(make_client: Make, keys: Path) -> FlaskClient:
    return make_client(keys_file=keys, require_key=True)


@pytest.fixture
def optional(make_client: Make, keys: Path) -> FlaskClient:
    return make_client(keys_file=keys)


def analyze(client: FlaskClient, query: str = "", **headers: str) -> TestResponse:
    return client.post(ANALYZE + query, json=BODY, headers=headers)


def predict(client: FlaskClient, **headers: str) -> TestResponse:
    return client.post("/predict", json={"text": "you are"}, headers=headers)


def error_of(response: TestResponse) -> dict[str, Any]:
    assert response.json is not None
    error: dict[str, Any] = response.json["error"]
    return error


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        (f"?key={KEY}", {}),
        (f"?access_token={KEY}", {}),
        (f"?oauth_token={KEY}&alt=json", {}),
        ("", {"X-Goog-Api-Key": KEY}),
        ("", {"Authorization": f"Bearer {KEY}"}),
        ("", {"Authorization": f"bearer {KEY}"}),
        ("?key=AIzaOfGoogle", {"X-Goog-Api-Key": KEY}),
    ],
)
def test_a_key_is_taken_from_each_place_of_googles_clients(
    required: FlaskClient, query: str, headers: dict[str, str]
):
    assert analyze(required, query, **headers).status_code == 200
    assert required.post(SUGGEST + query, json=SUGGESTION, headers=headers).status_code == 200


@pytest.mark.parametrize("headers", [{"X-Api-Key": KEY}, {"Authorization": f"Bearer {KEY}"}])
def test_a_key_is_taken_from_each_place_at_predict(required: FlaskClient, headers: dict[str, str]):
    assert predict(required, **headers).status_code == 200


@pytest.mark.parametrize("path", [ANALYZE, SUGGEST])
def test_a_request_without_the_required_key_is_403_in_googles_form(
    required: FlaskClient, path: str
):
    response = required.post(path, json=BODY)
    error = error_of(response)
    assert (response.status_code, error["code"], error["status"]) == (403, 403, "PERMISSION_DENIED")
    assert "x-goog-api-key" in error["message"]
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_a_wrong_key_is_400_in_googles_form(required: FlaskClient):
    response = analyze(required, f"?key={OTHER}")
    assert response.status_code == 400
    message = "API key not valid. Please pass a valid API key."
    assert error_of(response) == {
        "code": 400,
        "message": message,
        "status": "INVALID_ARGUMENT",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": {"service": "commentanalyzer.googleapis.com"},
            },
            {
                "@type": "type.googleapis.com/google.rpc.LocalizedMessage",
                "locale": "en-US",
                "message": message,
            },
        ],
    }


def test_predict_without_its_key_is_401_in_our_own_form(required: FlaskClient):
    for headers, code in (({}, "key_required"), ({"X-Api-Key": OTHER}, "key_invalid")):
        response = predict(required, **headers)
        assert (response.status_code, error_of(response)["code"]) == (401, code)
        assert response.headers["WWW-Authenticate"] == "Bearer"


def test_what_is_no_comment_needs_no_key(required: FlaskClient):
    for path in ("/", "/limits", "/livez", "/readyz", "/$discovery/rest?version=v1alpha1"):
        assert required.get(path).status_code == 200, path
    assert required.options(ANALYZE).status_code == 204


def test_the_checks_of_a_deploy_need_no_key(required: FlaskClient):
    assert predict(required, **{"X-Tox-Com-Det-Client": "probe"}).status_code == 200


def test_an_unknown_key_is_as_none_where_keys_are_optional(optional: FlaskClient):
    """Clients of Google send the key that they had there."""
    for query in ("", "?key=AIzaOfGoogle", f"?key={OTHER}", f"?key={KEY}"):
        assert analyze(optional, query).status_code == 200
    assert predict(optional, **{"X-Api-Key": OTHER}).status_code == 200


def test_each_part_of_a_batch_has_its_own_key(required: FlaskClient):
    """Google's Python client sends it in the parts only."""
    lines = [f"POST {ANALYZE}{query} HTTP/1.1" for query in ("", f"?key={KEY}", f"?key={OTHER}")]
    body = "".join(part(number=str(number), line=line) for number, line in enumerate(lines))
    data = (body + "--b--\n").encode()
    found = responses(required.post("/batch", data=data, content_type=MIXED))
    assert [status for _, status, _ in found] == [403, 200, 400]
    headers = {"X-Goog-Api-Key": KEY}
    found = responses(required.post("/batch", data=data, content_type=MIXED, headers=headers))
    assert [status for _, status, _ in found] == [200, 200, 200]


def test_a_change_of_the_file_is_in_force_at_the_next_request(required: FlaskClient, keys: Path):
    assert analyze(required, f"?key={OTHER}").status_code == 400
    write(keys, entry(KEY), entry(OTHER))
    assert analyze(required, f"?key={OTHER}").status_code == 200
    write(keys, entry(OTHER))
    assert analyze(required, f"?key={KEY}").status_code == 400
    keys.unlink()
    assert analyze(required, f"?key={OTHER}").status_code == 400


def test_a_key_ends_with_its_last_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    noon = datetime.now(UTC).replace(hour=12)  # midnight does not come in between
    monkeypatch.setattr(key_file, "time", SimpleNamespace(time=noon.timestamp))
    today = noon.date()
    path = tmp_path / "keys.json"
    for days, is_valid in ((1, True), (0, True), (-2, False)):
        write(path, entry(KEY, ends=(today + timedelta(days=days)).isoformat()))
        assert bool(KeyFile(path).find([KEY])) is is_valid, days


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"version": 2, "keys": []}',
        '{"version": 1, "keys": 1}',
        '{"version": 1, "keys": [1]}',
        json.dumps({"version": 1, "keys": [entry(KEY) | {"sha256": "ab"}]}),
        json.dumps({"version": 1, "keys": [entry(KEY) | {"requests_per_second": 0}]}),
        json.dumps({"version": 1, "keys": [entry(KEY) | {"ends": "soon"}]}),
        json.dumps({"version": 1, "keys": [entry(KEY) | {"ends": "9999-12-31"}]}),
        "[" * 100_000,
    ],
)
def test_a_damaged_file_leaves_the_last_keys_in_force(
    required: FlaskClient, keys: Path, content: str, caplog: pytest.LogCaptureFixture
):
    assert analyze(required, f"?key={KEY}").status_code == 200
    assert "warnings" not in required.get("/readyz").json
    keys.write_text(content)
    with caplog.at_level(logging.ERROR):
        assert analyze(required, f"?key={KEY}").status_code == 200
        assert analyze(required, f"?key={OTHER}").status_code == 400
    (line,) = caplog.messages
    assert "the keys before it stay in force: run `fab list-keys`" in line
    ready = required.get("/readyz")
    assert ready.status_code == 200
    assert ready.json["warnings"] == [line]
    write(keys, entry(OTHER))
    assert analyze(required, f"?key={KEY}").status_code == 400
    assert "warnings" not in required.get("/readyz").json


def test_a_file_that_cannot_be_read_leaves_the_last_keys_in_force(
    keys: Path, monkeypatch: pytest.MonkeyPatch
):
    file = KeyFile(keys)
    assert file.find([KEY])

    def refused(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(key_file, "read_keys", refused)
    os.utime(keys, (1, 1))
    assert file.find([KEY])
    assert "(Permission denied)" in file.problem


def test_a_file_that_is_damaged_from_the_start_admits_nobody(make_client: Make, keys: Path):
    keys.write_text("{")
    client = make_client(keys_file=keys, require_key=True)
    assert analyze(client, f"?key={KEY}").status_code == 400


def test_the_file_is_read_only_when_it_has_changed(keys: Path, monkeypatch: pytest.MonkeyPatch):
    reads = []
    read = key_file.read_keys

    def counted(path: Path) -> Any:
        reads.append(path)
        return read(path)

    monkeypatch.setattr(key_file, "read_keys", counted)
    file = KeyFile(keys)
    for _ in range(5):
        assert file.find([KEY])
    assert len(reads) == 1


def test_every_key_is_compared_in_constant_time(keys: Path, monkeypatch: pytest.MonkeyPatch):
    write(keys, *(entry(f"key {number}") for number in range(5)))
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return one == other

    monkeypatch.setattr(key_file.hmac, "compare_digest", compare)
    file = KeyFile(keys)
    for number in (0, 4, 9):
        compared.clear()
        assert bool(file.find([f"key {number}"])) is (number < 5)
        assert len(compared) == 5


# ---------------------------------------------------------------- rates


def test_a_key_has_its_own_rate_which_is_told(make_client: Make, keys: Path):
    write(keys, entry(KEY, rate=1), entry(OTHER))
    client = make_client(keys_file=keys)
    for left in (3, 2, 1, 0):
        response = analyze(client, f"?key={KEY}")
        assert response.status_code == 200
        assert response.headers["RateLimit-Limit"] == "4"
        assert response.headers["RateLimit-Policy"] == "4;w=4"
        assert int(response.headers["RateLimit-Remaining"]) == left
        assert int(response.headers["RateLimit-Reset"]) == 4 - left
        exposed = response.headers["Access-Control-Expose-Headers"]
        assert "RateLimit-Remaining" in exposed
    refused = analyze(client, f"?key={KEY}")
    error = error_of(refused)
    assert (refused.status_code, error["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert error["message"].startswith("Quota exceeded for quota metric 'Analyze requests'")
    info, links = error["details"]
    assert info["reason"] == "RATE_LIMIT_EXCEEDED"
    assert info["metadata"]["quota_limit_value"] == "4"
    assert links["@type"] == "type.googleapis.com/google.rpc.Help"
    assert (refused.headers["Retry-After"], refused.headers["RateLimit-Remaining"]) == ("1", "0")
    refused = predict(client, **{"X-Api-Key": KEY})
    assert (refused.status_code, error_of(refused)["code"]) == (429, "too_many_requests")
    assert refused.headers["Retry-After"] == "1"
    # Others have theirs.
    response = analyze(client, f"?key={OTHER}")
    assert response.status_code == 200
    assert "RateLimit-Limit" not in response.headers
    assert analyze(client).status_code == 200


def test_each_part_of_a_batch_counts(make_client: Make, keys: Path):
    write(keys, entry(KEY, rate=1))
    client = make_client(keys_file=keys)
    line = f"POST {ANALYZE}?key={KEY} HTTP/1.1"
    data = ("".join(part(number=str(n), line=line) for n in range(6)) + "--b--\n").encode()
    response = client.post("/batch", data=data, content_type=MIXED)
    assert [status for _, status, _ in responses(response)] == [200] * 4 + [429] * 2
    assert response.headers["RateLimit-Remaining"] == "0"


def test_an_address_with_a_made_up_key_keeps_its_own_limit(optional: FlaskClient):
    """nginx sees the form of a key only and lets more of them through."""
    statuses = [analyze(optional, f"?key={OTHER}", **KEYED).status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    refused = predict(optional, **{"X-Api-Key": OTHER, **KEYED})
    assert (refused.status_code, error_of(refused)["code"]) == (429, "too_many_requests")
    # With a real key, and where nginx has applied the limit itself.
    assert analyze(optional, f"?key={KEY}", **KEYED).status_code == 200
    assert analyze(optional, f"?key={OTHER}", **LIMITS).status_code == 200


def test_guesses_of_a_required_key_are_limited(required: FlaskClient):
    statuses = [analyze(required, f"?key={OTHER}", **KEYED).status_code for _ in range(5)]
    assert statuses == [400, 400, 400, 429, 429]


def test_buckets_fill_again_and_do_not_grow_in_number(monkeypatch: pytest.MonkeyPatch):
    now = [0.0]
    own = OwnBuckets()
    buckets = Quotas(own, lambda: now[0])
    assert [buckets.take("a", 2, 3).left for _ in range(4)] == [2, 1, 0, -1]
    assert buckets.take("a", 2, 3).wait == 1
    now[0] += 0.5
    assert not buckets.take("a", 2, 3).is_exceeded
    assert buckets.take("a", 2, 3).is_exceeded
    now[0] += 1000
    assert buckets.take("a", 2, 3).left == 2
    monkeypatch.setattr("tox_com_det.keys.buckets.MOST_BUCKETS", 5)
    for number in range(50):
        buckets.take(f"address {number}", 1)
    assert len(own._buckets) <= 5


def test_the_holder_of_a_key_is_one_client_in_the_turns(
    optional: FlaskClient, monkeypatch: pytest.MonkeyPatch
):
    from tox_com_det.http.turns import Turns

    seen = []
    turn = Turns.turn

    def counted(turns: Turns, client: str) -> Any:
        seen.append(client)
        return turn(turns, client)

    monkeypatch.setattr(Turns, "turn", counted)
    for query in ("", f"?key={OTHER}", f"?key={KEY}"):
        analyze(optional, query)
    key = f"key {entry(KEY)['id']}"
    assert seen == ["127.0.0.1", "127.0.0.1", key]
    seen.clear()
    data = (part(line=f"POST {ANALYZE}?key={KEY}") + "--b--\n").encode()
    optional.post("/batch", data=data, content_type=MIXED)
    # To read the parts, and to score them.
    assert seen == ["127.0.0.1", key, key]


def test_neither_a_key_nor_its_hash_is_in_a_response_or_the_log(
    required: FlaskClient, caplog: pytest.LogCaptureFixture
):
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    with caplog.at_level(logging.DEBUG):
        for key in (KEY, OTHER):
            for response in (
                analyze(required, f"?key={key}"),
                predict(required, **{"X-Api-Key": key}),
            ):
                told = response.text + str(response.headers) + caplog.text
                assert key not in told
                assert digest not in told
