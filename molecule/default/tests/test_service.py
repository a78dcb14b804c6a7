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
