"""Google's own client for Python, built from this server's discovery document."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import googleapiclient.discovery
import pytest
from flask.testing import FlaskClient
from googleapiclient.errors import HttpError
from test_perspective_guide import block
from werkzeug.serving import make_server

TEXT = "you are awful"


@pytest.fixture
def url(client: FlaskClient) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, client.application, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def google(url: str) -> Iterator[Any]:
    # As the guide shows it, with this server's address.
    snippet = block("python").replace("http://toxic.example.org", url)
    names: dict[str, Any] = {"googleapiclient": googleapiclient}
    exec(snippet, names)  # noqa: S102 (the repository's own document)
    service = names["client"]
    with service:
        yield service


def request(text: str = TEXT, attribute: str = "TOXICITY") -> dict[str, Any]:
    return {"comment": {"text": text}, "requestedAttributes": {attribute: {}}}


def test_the_document_is_complete(client: FlaskClient):
    document = client.get("/%24discovery/rest?version=v1alpha1&key=AIza").get_json()
    assert document["rootUrl"] == document["baseUrl"] == "http://localhost/"
    assert (document["batchPath"], document["servicePath"]) == ("batch", "")
    assert "mtlsRootUrl" not in document
    references = {
        value for schema in document["schemas"].values() for value in find_references(schema)
    }
    assert references <= set(document["schemas"])
    methods = document["resources"]["comments"]["methods"]
    assert {name: method["path"] for name, method in methods.items()} == {
        "analyze": "v1alpha1/comments:analyze",
        "suggestscore": "v1alpha1/comments:suggestscore",
    }


def find_references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from find_references(item)


def test_analyze(google: Any, client: FlaskClient):
    found = google.comments().analyze(body=request()).execute()
    expected = client.post("/predict", json={"text": TEXT}).get_json()["scores"]["toxic"]
    score = found["attributeScores"]["TOXICITY"]
    assert score["summaryScore"]["value"] == score["spanScores"][0]["score"]["value"] == expected


def test_fields_and_suggestscore(google: Any):
    found = google.comments().analyze(body=request(), fields="clientToken,languages").execute()
    assert found == {"languages": ["en"]}
    suggestion = {
        "comment": {"text": TEXT},
        "attributeScores": {"TOXICITY": {"summaryScore": {"value": 1}}},
        "clientToken": "x",
    }
    answer = google.comments().suggestscore(body=suggestion).execute()
    assert answer == {"clientToken": "x", "detectedLanguages": ["en"]}


def test_an_error_carries_googles_details(google: Any):
    with pytest.raises(HttpError) as raised:
        google.comments().analyze(body=request("", "TOXICITY")).execute()
    assert raised.value.status_code == 400
    assert raised.value.reason == "Comment must be non-empty."
    assert raised.value.error_details[0]["errorType"] == "COMMENT_EMPTY"


def test_a_batch(google: Any, client: FlaskClient):
    texts = [TEXT, "", "great work", "日本 😀"] * 5
    found: dict[str, Any] = {}

    def keep(name: str, response: Any, error: Any) -> None:
        found[name] = error or response["attributeScores"]["TOXICITY"]["summaryScore"]["value"]

    calls = google.new_batch_http_request(callback=keep)
    for number, text in enumerate(texts):
        # HELM uses the whole text as the id of its part.
        name = f"{number} {text} " + "long " * 99
        calls.add(google.comments().analyze(body=request(text)), request_id=name)
    calls.execute()
    assert [name.split()[0] for name in found] == [str(number) for number in range(len(texts))]
    for text, answer in zip(texts, found.values(), strict=True):
        if not text:
            assert isinstance(answer, HttpError)
            assert answer.status_code == 400
            continue
        expected = client.post("/predict", json={"text": text}).get_json()["scores"]["toxic"]
        assert answer == pytest.approx(expected, abs=1e-6)
