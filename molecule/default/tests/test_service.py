"""The service as seen by a client."""

from __future__ import annotations

import time

from conftest import HANG_SECONDS


def test_scores_through_nginx_match_the_golden_outputs(http, url, manifest):
    cases = manifest.golden_outputs.cases
    assert len(cases) >= 5
    for case in cases:
        answer = http.post(f"{url}/predict", json={"text": case.text})
        assert answer.status_code == 200, answer.text
        scores = answer.json()["scores"]
        assert list(scores) == list(manifest.labels)
        for given, known in zip(scores.values(), case.scores, strict=True):
            assert abs(given - known) <= manifest.golden_outputs.tolerance


def test_a_batch_has_the_same_scores_as_single_texts(http, url, manifest):
    texts = [case.text for case in manifest.golden_outputs.cases[:5]]
    together = http.post(f"{url}/predict", json={"texts": texts}).json()["results"]
    for text, result in zip(texts, together, strict=True):
        alone = http.post(f"{url}/predict", json={"text": text}).json()
        for label, score in result["scores"].items():
            assert abs(score - alone["scores"][label]) <= manifest.golden_outputs.tolerance


def test_the_service_is_ready_with_the_deployed_model(http, url, manifest, live_slot):
    ready = http.get(f"{url}/readyz")
    assert ready.status_code == 200, ready.text
    assert ready.json()["model"] == manifest.model_version
    assert http.get(f"{url}/livez").json() == {"status": "live", "slot": live_slot}


def test_the_endpoints_of_the_article_work(http, url, manifest):
    assert http.get(f"{url}/test").json() == {"hello": "there"}
    assert http.get(f"{url}/load-model").json() == manifest.architecture
    page = http.get(f"{url}/")
    assert page.headers["Content-Type"].startswith("text/html")


def test_v1_explains_the_scores_of_predict(http, url, manifest):
    text = manifest.golden_outputs.cases[1].text
    answer = http.post(f"{url}/v1/predict", json={"text": text, "explain": True})
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == {"name": manifest.name, "version": manifest.model_version}
    (result,) = answer.json()["results"]
    alone = http.post(f"{url}/predict", json={"text": text}).json()["scores"]
    for label, score in result["scores"].items():
        assert abs(score - alone[label]) <= manifest.golden_outputs.tolerance
    assert result["explanation"]


def test_an_error_has_the_form_that_the_client_asks_for(http, url):
    headers = {"Accept": "application/problem+json"}
    answer = http.post(f"{url}/v1/predict", json={"text": 1}, headers=headers)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json()["errors"][0]["pointer"] == "#/text"
    # The address that its type has is that of the client.
    assert answer.json()["type"].startswith(f"{url}/docs#")


def test_the_document_and_its_page_are_served(http, url):
    document = http.get(f"{url}/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    page = http.get(f"{url}/docs")
    assert all(path in page.text for path in document["paths"])


def test_the_page_scores_a_form_and_names_the_address_of_the_browser(http, url):
    page = http.post(f"{url}/", data={"text": "You are an idiot."})
    assert page.status_code == 200
    assert "Highest: " in page.text
    assert f"curl {url}/v1/predict" in page.text


def test_invalid_requests_are_rejected_with_a_reason(http, url):
    for body, status, code in (
        (b"{", 400, "bad_json"),
        (b'{"text": 1}', 400, "wrong_type"),
        (b'{"text": " "}', 400, "empty_text"),
        (b"[" + b" " * (2 << 20) + b"]", 413, "body_too_large"),
    ):
        answer = http.post(
            f"{url}/predict", data=body, headers={"Content-Type": "application/json"}
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_the_service_recovers_after_a_database_outage(host, database, http, url, manifest):
    unknown = {"text": "zebra xylophone quagmire perhaps never asked before"}
    with host.sudo():
        assert host.run("systemctl stop %s", database).rc == 0
        try:
            gone = http.post(f"{url}/predict", json=unknown)
            assert (gone.status_code, gone.json()["error"]["code"]) == (503, "database_unavailable")
        finally:
            assert host.run("systemctl start %s", database).rc == 0
    deadline = time.monotonic() + HANG_SECONDS
    back = http.post(f"{url}/predict", json=unknown)
    while back.status_code != 200 and time.monotonic() < deadline:
        time.sleep(0.2)
        back = http.post(f"{url}/predict", json=unknown)
    assert back.status_code == 200, back.text
    assert list(back.json()["scores"]) == list(manifest.labels)
