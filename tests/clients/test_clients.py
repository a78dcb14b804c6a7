"""Clients of Google's Perspective API against a running server: `scripts/test-clients URL`.

Clients that cannot be installed here are replaced by their requests, as their source builds them.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import googleapiclient.discovery
import httplib2
import pytest
import requests
from googleapiclient.errors import HttpError

HERE = Path(__file__).parent
URL = os.environ.get("CLIENTS_URL", "").rstrip("/")
CA_FILE = os.environ.get("CLIENTS_CA_FILE") or None
TEXT = "You are an idiot and nobody likes you."
ANALYZE = f"{URL}/v1alpha1/comments:analyze"


def node(script: str) -> Any:
    """Run a script of this directory; return what it prints."""
    environment = dict(os.environ)
    if CA_FILE:
        environment["NODE_EXTRA_CA_CERTS"] = CA_FILE
    done = subprocess.run(  # noqa: S603 (fixed words, no shell)
        ["node", script, URL],  # noqa: S607 (scripts/test-clients has checked that it is there)
        cwd=HERE,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def summary(answer: Any, attribute: str = "TOXICITY") -> float:
    return answer["attributeScores"][attribute]["summaryScore"]["value"]


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.verify = CA_FILE or True
        yield session


@pytest.fixture
def transport() -> Iterator[httplib2.Http]:
    made = httplib2.Http(ca_certs=CA_FILE, proxy_info=None)
    yield made
    made.close()


def test_node_googleapis():
    answers = node("google.js")
    analyze = answers["analyze"]
    assert set(analyze["attributeScores"]) == {"TOXICITY", "INSULT"}
    assert analyze["clientToken"] == "token 1"
    spans = analyze["attributeScores"]["TOXICITY"]["spanScores"]
    assert [(span["begin"], span["end"]) for span in spans][:2] == [(0, 17), (18, 35)]
    assert spans[-1]["end"] == 55  # UTF-16 units: the emoji counts twice
    assert spans[0]["score"]["value"] > 0.5 > spans[-1]["score"]["value"]
    assert answers["suggest"]["clientToken"] == "token 2"
    assert answers["error"] == {"status": 400, "message": "Comment must be non-empty."}


def test_npm_perspective_api_client():
    answers = node("perspective_api_client.js")
    assert summary(answers["plain"]) > 0.5
    assert set(answers["attributes"]["attributeScores"]) == {"TOXICITY", "INSULT"}
    assert 0 <= summary(answers["cut"]) <= 1
    assert answers["error"]["status"] == 400
    assert "SPAM" in answers["error"]["message"]


def test_google_api_python_client(transport):
    client = googleapiclient.discovery.build(
        "commentanalyzer",
        "v1alpha1",
        developerKey="none",
        discoveryServiceUrl=f"{URL}/$discovery/rest?version=v1alpha1",
        static_discovery=False,
        cache_discovery=False,
        http=transport,
    )
    body = {"comment": {"text": TEXT}, "requestedAttributes": {"TOXICITY": {}}}
    assert summary(client.comments().analyze(body=body).execute()) > 0.5
    found = {}
    batch = client.new_batch_http_request(
        callback=lambda name, answer, error: found.update({name: error or summary(answer)})
    )
    for number in range(25):
        batch.add(client.comments().analyze(body=body), request_id=str(number))
    batch.execute(http=transport)
    assert len(found) == 25
    assert all(score > 0.5 for score in found.values())
    suggestion = {
        "comment": {"text": TEXT},
        "attributeScores": {"TOXICITY": {"summaryScore": {"value": 1}}},
        "clientToken": "t",
    }
    assert client.comments().suggestscore(body=suggestion).execute()["clientToken"] == "t"
    with pytest.raises(HttpError) as raised:
        client.comments().analyze(body={**body, "languages": ["xx"]}).execute()
    assert raised.value.error_details[0]["errorType"] == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"


def test_curl_with_the_quickstart():
    quickstart = "{comment: {text: '%s'}, languages: ['en'], requestedAttributes: {TOXICITY:{}} }"
    body = (quickstart % TEXT).replace("'", '"')
    done = subprocess.run(  # noqa: S603 (fixed words, no shell)
        ["curl", "--silent", "--show-error", "--noproxy", "*"]
        + (["--cacert", CA_FILE] if CA_FILE else [])
        + ["--header", "Content-Type: application/json", "--data", body, f"{ANALYZE}?key=none"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert summary(json.loads(done.stdout)) > 0.5


def test_coral(http):
    """Its endpoint is ours with /v1alpha1; scores of 0 and 1 go to suggestscore."""
    endpoint = f"{URL}/v1alpha1"
    analyze = {
        "comment": {"text": TEXT},
        "languages": ["en"],
        "doNotStore": True,
        "requestedAttributes": {"SEVERE_TOXICITY": {}},
    }
    answer = http.post(f"{endpoint}/comments:analyze?key=none", json=analyze).json()
    assert 0 <= summary(answer, "SEVERE_TOXICITY") <= 1
    suggest = {
        "comment": {"text": TEXT},
        "clientToken": "comment:1",
        "communityId": "a site",
        "attributeScores": {"SEVERE_TOXICITY": {"summaryScore": {"value": 0}}},
    }
    answer = http.post(f"{endpoint}/comments:suggestscore?key=none", json=suggest)
    assert answer.json()["clientToken"] == "comment:1"


def test_java(http):
    """google-api-client compresses its bodies, and some versions send them in chunks."""
    body = gzip.compress(
        json.dumps({"comment": {"text": TEXT}, "requestedAttributes": {"TOXICITY": {}}}).encode()
    )
    headers = {
        "Content-Encoding": "gzip",
        "Content-Type": "application/json; charset=UTF-8",
        "User-Agent": "Google-API-Java-Client/2.0.0 Google-HTTP-Java-Client/1.42.3 (gzip)",
    }
    answer = http.post(f"{ANALYZE}?key=none", data=body, headers=headers)
    assert summary(answer.json()) > 0.5
    if answer.headers.get("Server") != "nginx":
        pytest.skip("`make serve` has no nginx, which decodes chunks")
    answer = http.post(f"{ANALYZE}?key=none", data=iter([body[:20], body[20:]]), headers=headers)
    assert summary(answer.json()) > 0.5


def test_r_peRspective(http):
    """httr posts a form's words, and the language is a plain string."""
    body = json.dumps(
        {
            "comment": {"text": TEXT},
            "languages": "en",
            "requestedAttributes": {"TOXICITY": {}, "INSULT": {}},
            "doNotStore": True,
            "spanAnnotations": False,
        }
    )
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = http.post(f"{ANALYZE}?key=none", data=body.encode(), headers=headers).json()
    for attribute in ("TOXICITY", "INSULT"):
        (span,) = answer["attributeScores"][attribute]["spanScores"]
        assert span["score"]["value"] == summary(answer, attribute)


def test_go_with_a_threshold_as_text(http):
    body = {
        "comment": {"text": TEXT},
        "requestedAttributes": {
            "TOXICITY": {"scoreThreshold": "0.0"},
            "THREAT": {"scoreThreshold": "1.0"},
        },
    }
    answer = http.post(ANALYZE, json=body, headers={"x-goog-api-key": "none"}).json()
    assert set(answer["attributeScores"]) == {"TOXICITY"}


def test_discourse(http):
    """One connection that is kept, with one request after the other."""
    body = {
        "comment": {"text": TEXT},
        "doNotStore": True,
        "sessionId": "https://forum.example_1",
        "requestedAttributes": {"TOXICITY": {}},
    }
    for _ in range(20):
        assert summary(http.post(f"{ANALYZE}?key=none", json=body, timeout=300).json()) > 0.5


def test_a_page(http):
    headers = {
        "Origin": "https://example.org",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-goog-api-key",
    }
    answer = http.options(ANALYZE, headers=headers)
    assert answer.status_code in (200, 204)
    assert "x-goog-api-key" in answer.headers["Access-Control-Allow-Headers"].lower()
    body = json.dumps({"comment": {"text": TEXT}, "requestedAttributes": {"TOXICITY": {}}})
    answer = http.post(
        ANALYZE,
        data=body.encode(),
        headers={"Origin": "https://example.org", "Content-Type": "text/plain;charset=UTF-8"},
    )
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert summary(answer.json()) > 0.5
