"""The Perspective API through nginx, with Google's own client; errors of nginx in Google's form."""

from __future__ import annotations

import gzip
import json
from concurrent.futures import ThreadPoolExecutor

import googleapiclient.discovery
import pytest
from googleapiclient.errors import HttpError

TEXT = "You are an idiot and nobody likes you."
ANALYZE = "/v1alpha1/comments:analyze"


def request(text=TEXT, **more):
    return {"comment": {"text": text}, "requestedAttributes": {"TOXICITY": {}}, **more}


@pytest.fixture
def google(url):
    service = googleapiclient.discovery.build(
        "commentanalyzer",
        "v1alpha1",
        developerKey="none",
        discoveryServiceUrl=f"{url}/$discovery/rest?version=v1alpha1",
        static_discovery=False,
        cache_discovery=False,
    )
    with service:
        yield service


def score_of(answer):
    return answer["attributeScores"]["TOXICITY"]["summaryScore"]["value"]


def google_error(response, code, status):
    assert response.status_code == code
    error = response.json()["error"]
    assert (error["code"], error["status"]) == (code, status)
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    return error


def test_googles_client_gets_the_scores_of_predict(google, http, url):
    expected = http.post(f"{url}/predict", json={"text": TEXT}).json()["scores"]["toxic"]
    assert score_of(google.comments().analyze(body=request()).execute()) == expected
    with pytest.raises(HttpError) as raised:
        google.comments().analyze(body=request("")).execute()
    assert raised.value.error_details[0]["errorType"] == "COMMENT_EMPTY"


def test_googles_client_sends_a_batch(google):
    found = {}
    calls = google.new_batch_http_request(
        callback=lambda name, answer, error: found.update({name: error or score_of(answer)})
    )
    for number in range(200):
        call = google.comments().analyze(body=request(f"{TEXT} {number}"))
        calls.add(call, request_id=str(number))
    calls.execute()
    assert list(found) == [str(number) for number in range(200)]
    assert all(score > 0.5 for score in found.values())


@pytest.mark.parametrize(
    "path", ["/v1alpha1/comments%3Aanalyze", "//v1alpha1/comments:analyze", f"{ANALYZE}/"]
)
def test_paths_and_bodies_as_clients_send_them(http, url, path):
    body = gzip.compress(json.dumps(request()).encode())
    response = http.post(
        f"{url}{path}?key=AIza&fields=languages", data=body, headers={"Content-Encoding": "gzip"}
    )
    assert response.json() == {"languages": ["en"]}


def test_a_page_may_ask(http, url):
    headers = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    response = http.options(url + ANALYZE, headers=headers)
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_a_body_that_nginx_refuses_has_googles_form(http, url):
    response = http.post(url + ANALYZE, data=b"x" * 2_000_000)
    google_error(response, 413, "INVALID_ARGUMENT")
    assert http.post(f"{url}/predict", data=b"x" * 2_000_000).json()["error"]["status"] == 413


@pytest.mark.usefixtures("slow_refill")
def test_too_many_requests_have_googles_form(http, url):
    def ask(_):
        return http.get(url + ANALYZE)

    with ThreadPoolExecutor(16) as pool:
        refused = [one for one in pool.map(ask, range(600)) if one.status_code == 429]
    error = google_error(refused[0], 429, "RESOURCE_EXHAUSTED")
    assert error["details"][0]["reason"] == "RATE_LIMIT_EXCEEDED"
    headers = refused[0].headers
    assert headers["Retry-After"] == "1"
    # The rate may refill by one request a second (slow_refill).
    assert (headers["RateLimit-Limit"], headers["RateLimit-Remaining"]) == ("201", "0")
    assert int(headers["RateLimit-Reset"]) >= 1
    assert "RateLimit-Reset" in headers["Access-Control-Expose-Headers"]


def test_an_invalid_request_has_googles_form(http, url):
    response = http.post(url + ANALYZE, headers={"Host": "a b"})
    google_error(response, 400, "INVALID_ARGUMENT")
