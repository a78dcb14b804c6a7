"""Wrong requests of every kind get Google's form, and never a 5xx."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from database_server import DatabaseServer
from fake_database import FakeDatabase
from flask.testing import FlaskClient
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st
from pymongo import MongoClient
from pymongo.collection import Collection
from tiny_bundle import TinyBundle

from tox_com_det.http.routes import create_app
from tox_com_det.settings import Settings
from tox_com_det.suggestions.collection import DATABASE, collection_of
from tox_com_det.suggestions.store import SuggestionStore

EXAMPLES = 500
TEXT = st.text(st.characters(codec=None), max_size=30)
SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
VALUE = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
)
VALID: dict[str, Any] = {
    "comment": {"text": "You are great. 😀", "type": "PLAIN_TEXT"},
    "context": {"entries": [{"text": "x"}]},
    "requestedAttributes": {"TOXICITY": {"scoreType": "PROBABILITY", "scoreThreshold": 0.0}},
    "attributeScores": {"TOXICITY": {"summaryScore": {"value": 1, "type": "PROBABILITY"}}},
    "languages": ["en"],
    "doNotStore": True,
    "spanAnnotations": True,
    "clientToken": "token",
}
PATHS = ["/v1alpha1/comments:analyze", "/v1alpha1/comments:suggestscore"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """One app for all examples."""
    bundle = TinyBundle()
    model = bundle.write(tmp_path_factory.mktemp("bundle") / "bundle")
    return create_app(Settings(model=model), FakeDatabase(bundle)).test_client()


@pytest.fixture(scope="module")
def storing(
    tmp_path_factory: pytest.TempPathFactory, server: DatabaseServer
) -> Iterator[tuple[FlaskClient, Collection[Any]]]:
    """One app for all examples that stores suggestions, and their collection."""
    bundle = TinyBundle()
    model = bundle.write(tmp_path_factory.mktemp("bundle") / "bundle")
    with (
        MongoClient[Any](server.uri) as client,
        closing(SuggestionStore(server.uri, 60_000, 10**9, 0)) as suggestions,
    ):
        client.drop_database(DATABASE)
        app = create_app(Settings(model=model), FakeDatabase(bundle), suggestions)
        yield app.test_client(), collection_of(client)


@st.composite
def almost_valid(draw: st.DrawFn, **changes: Any) -> dict[str, Any]:
    """A valid request with one value, at any depth, replaced or removed."""
    request: Any = json.loads(json.dumps({**VALID, **changes}))
    place = request
    while True:
        key = draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
        if isinstance(place[key], dict | list) and place[key] and draw(st.booleans()):
            place = place[key]
            continue
        if isinstance(place, dict) and draw(st.booleans()):
            value = place.pop(key)
            place[draw(TEXT)] = value
        else:
            place[key] = draw(VALUE)
        return request


def check(client: FlaskClient, path: str, data: bytes, **more: Any) -> int:
    """Send a request; return its status."""
    response = client.post(path, data=data, **more)
    assert response.status_code < 500, response.text
    if response.status_code != 200:
        error = response.get_json()["error"]
        assert error["code"] == response.status_code
        assert error["message"]
        assert error["status"].isupper()
    return response.status_code


@fuzz(EXAMPLES)
@given(st.sampled_from(PATHS), almost_valid())
def test_a_request_with_one_wrong_value(shared: FlaskClient, path: str, request: Any):
    check(shared, path, json.dumps(request).encode())


@fuzz(EXAMPLES)
@given(almost_valid(doNotStore=False))
def test_what_is_acknowledged_is_stored_unless_the_request_forbids_it(
    storing: tuple[FlaskClient, Collection[Any]], request: Any
):
    client, stored = storing
    before = stored.count_documents({})
    status = check(client, PATHS[1], json.dumps(request).encode())
    forbidden = request.get("doNotStore") in (True, "true")
    added = stored.count_documents({}) - before
    assert added == (1 if status == 200 and not forbidden else 0)


@fuzz(EXAMPLES)
@given(st.sampled_from(PATHS), VALUE.map(json.dumps) | TEXT, st.integers(0, 40), st.booleans())
def test_any_json_and_what_is_none(
    shared: FlaskClient, path: str, text: str, cut: int, packed: bool
):
    data = text.encode("utf-8", "surrogatepass")
    data = gzip.compress(data)[:-cut] if packed and cut else data
    headers = {"Content-Encoding": "gzip"} if packed else {}
    check(shared, path, data, headers=headers)


@fuzz(EXAMPLES)
@given(
    st.sampled_from(PATHS),
    st.dictionaries(
        st.sampled_from(["alt", "callback", "fields", "key", "prettyPrint", "$.xgafv"]),
        st.text(st.sampled_from("ab*/(), \x00é1"), max_size=12) | st.text(max_size=9),
    ),
)
def test_any_query(shared: FlaskClient, path: str, query: dict[str, str]):
    try:
        check(shared, path, json.dumps(VALID).encode(), query_string=query)
    except UnicodeEncodeError:
        assert any("\ud800" <= one <= "\udfff" for value in query.values() for one in value)


@fuzz(EXAMPLES)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["POST", "GET", "post", ""]),
            st.sampled_from(PATHS) | st.text(max_size=20),
            almost_valid().map(json.dumps) | st.text(max_size=30),
            st.text(st.characters(codec="utf-8"), max_size=20),
        ),
        max_size=4,
    ),
    st.sampled_from(["multipart/mixed; boundary=b", "multipart/mixed", "é", ""]),
)
def test_any_batch(shared: FlaskClient, parts: list[tuple[str, str, str, str]], content_type: str):
    body = "".join(
        f"--b\nContent-Type: application/http\nContent-ID: {name}\n\n"
        f"{method} {path} HTTP/1.1\n\n{text}\n"
        for method, path, text, name in parts
    )
    response = shared.post(
        "/batch", data=f"{body}--b--\n".encode(), headers={"Content-Type": content_type}
    )
    assert response.status_code in (200, 400), response.text
    assert "HTTP/1.1 5" not in response.text


def test_the_unchanged_request_is_answered(shared: FlaskClient, tmp_path: Path):
    for path in PATHS:
        assert shared.post(path, json=VALID).status_code == 200
