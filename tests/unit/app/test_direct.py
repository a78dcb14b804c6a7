"""Plain requests are answered past Flask, exactly as Flask would, and their errors by Flask."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from test_keys import KEY, entry, write

from tox_com_det.http import direct
from tox_com_det.http.json_bytes import json_bytes
from tox_com_det.http.turns import Busy, Turns

Make = Callable[..., FlaskClient]
ANALYZE = "/v1alpha1/comments:analyze"
COMMENT = {"comment": {"text": "you are"}, "requestedAttributes": {"TOXICITY": {}}}
REQUESTS: dict[str, Any] = {
    "one text": ("/predict", {"text": "you are"}),
    "texts": ("/predict", {"texts": ["you are", "nobody knows this word"]}),
    "analyze": (ANALYZE, COMMENT),
    "a client's token": (ANALYZE, {**COMMENT, "clientToken": "half of a pair: \ud83d, and \u00fc"}),
}


def flask_only(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no request be answered directly."""
    monkeypatch.setattr(client.application.wsgi_app, "_routes", {})


def flasks_requests(client: FlaskClient) -> list[str]:
    """The paths of the requests that Flask gets from now on."""
    seen: list[str] = []

    def note() -> None:
        seen.append(direct.request.path)

    client.application.before_request_funcs.setdefault(None, []).append(note)
    return seen


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("origin", ["", "https://page.example", "https://other.example"])
def test_a_plain_request_gets_what_flask_would_answer(
    make_client: Make, monkeypatch: pytest.MonkeyPatch, name: str, origin: str
):
    client = make_client(slot="blue")
    (path, body), headers = REQUESTS[name], {"Origin": origin} if origin else {}
    seen = flasks_requests(client)
    answered = client.post(
        path, data=json.dumps(body), content_type="application/json", headers=headers
    )
    assert (answered.status_code, seen) == (200, [])
    flask_only(client, monkeypatch)
    expected = client.post(
        path, data=json.dumps(body), content_type="application/json", headers=headers
    )
    assert seen == [path]
    assert answered.data == expected.data
    assert sorted(answered.headers) == sorted(expected.headers)


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/predict", {"content_type": "application/json; charset=utf-8"}),
        ("/predict", {"headers": {"Content-Encoding": "identity"}}),
        (f"{ANALYZE}?prettyPrint=false", {}),
        (f"{ANALYZE}?key=a%20b", {}),
        (f"{ANALYZE}/", {}),
    ],
)
def test_a_request_that_is_not_plain_is_flasks(
    client: FlaskClient, path: str, options: dict[str, Any]
):
    seen = flasks_requests(client)
    body = json.dumps(COMMENT if "comments" in path else {"text": "you are"})
    response = client.post(path, data=body, **{"content_type": "application/json", **options})
    assert response.status_code == 200
    assert len(seen) == 1


@pytest.mark.parametrize("path", ["/predict", ANALYZE])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"text": " "}', b"\xff", b'{"a": 1}'])
def test_an_error_is_the_one_of_flask(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, path: str, body: bytes
):
    failed = client.post(path, data=body, content_type="application/json")
    flask_only(client, monkeypatch)
    expected = client.post(path, data=body, content_type="application/json")
    assert failed.status_code == expected.status_code >= 400
    assert failed.data == expected.data
    assert sorted(failed.headers) == sorted(expected.headers)


def test_a_body_that_ends_early_is_400(client: FlaskClient):
    environ = {"CONTENT_LENGTH": "50", "wsgi.input": io.BytesIO(b'{"text": "you')}
    response = client.post("/predict", content_type="application/json", environ_overrides=environ)
    assert response.status_code == 400


@pytest.mark.parametrize("path", ["/predict", ANALYZE])
@pytest.mark.parametrize("length", ["9" * 5000, "x", "-1", "\u0663"])
def test_a_length_that_is_no_number_of_bytes_is_400(client: FlaskClient, path: str, length: str):
    environ = {"CONTENT_LENGTH": length, "wsgi.input": io.BytesIO(b"{}")}
    response = client.post(path, content_type="application/json", environ_overrides=environ)
    assert response.status_code == 400


@pytest.mark.parametrize("path", ["/predict", ANALYZE])
def test_a_client_that_goes_away_is_400_and_no_line_of_the_log(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, path: str
):
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError("the connection is closed")

    environ = {"CONTENT_LENGTH": "50", "wsgi.input": Broken()}
    response = client.post(path, content_type="application/json", environ_overrides=environ)
    assert response.status_code == 400
    assert caplog.records == []


@pytest.mark.parametrize("path", ["/predict", ANALYZE])
def test_a_request_without_a_turn_is_503(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, path: str
):
    def refuse(self: Turns, client: str) -> None:
        raise Busy

    monkeypatch.setattr(Turns, "turn", refuse)
    response = client.post(path, json=COMMENT if "comments" in path else {"text": "you are"})
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"


@pytest.mark.parametrize("path", ["/predict", ANALYZE])
def test_a_keys_quota_is_told_and_counted_once(make_client: Make, tmp_path: Path, path: str):
    write(tmp_path / "keys.json", entry(KEY, rate=1))
    client = make_client(keys_file=tmp_path / "keys.json")
    body = COMMENT if "comments" in path else {"text": "you are"}
    answers = [
        client.post(path, json=one, headers={"Authorization": f"Bearer {KEY}"})
        for one in (body, {"wrong": 1}, body, body, body)
    ]
    assert [one.status_code for one in answers] == [200, 400, 200, 200, 429]
    left = [one.headers["RateLimit-Remaining"] for one in answers]
    assert left == ["3", "2", "1", "0", "0"]
    assert "Retry-After" in answers[-1].headers


def test_json_is_as_pythons_own():
    content = {"a": [1.0, 0.25, None, True], "b": {}, "c": "\u00fc"}
    assert json.loads(json_bytes(content)) == content
    assert json_bytes({"a": []}) == b'{"a":[]}'
    pretty = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    assert json_bytes(content, pretty=True).decode() == pretty


@pytest.mark.parametrize("pretty", [False, True])
def test_half_of_a_pair_is_escaped_and_nothing_else(pretty: bool):
    content = {"a\udfff": ["\ud83d", "\u00fc\U0001f600", '"\\u']}
    written = json_bytes(content, pretty)
    assert json.loads(written) == content
    whole = '"\u00fc\U0001f600"'.encode()
    assert rb'"\ud83d"' in written
    assert whole in written
    assert written.count(b"\n") == (7 if pretty else 0)


@pytest.mark.parametrize("name", ["one text", "analyze"])
def test_a_direct_answer_is_counted_as_flasks(
    make_client: Make, monkeypatch: pytest.MonkeyPatch, name: str
):
    client = make_client()
    path, body = REQUESTS[name]

    def counted() -> list[str]:
        lines = client.get("/metrics").text.splitlines()
        route = path.rpartition("/")[0] or path
        return [
            line
            for line in lines
            if f'route="{route}' in line and "_created" not in line and line.endswith(".0")
        ]

    client.post(path, json=body)
    direct_lines = counted()
    flask_only(client, monkeypatch)
    client.post(path, json=body)
    twice = [f"{line.rpartition(' ')[0]} 2.0" for line in direct_lines if line.endswith(" 1.0")]
    assert any("requests_total" in line for line in twice)
    assert [line for line in twice if "requests_total" in line] == [
        line for line in counted() if "requests_total" in line
    ]
