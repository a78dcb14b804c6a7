"""GET /metrics: what was answered is counted, and nothing of what clients sent is shown."""

from __future__ import annotations

import json
import threading
from functools import partial

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tiny_bundle import TinyBundle

from tox_com_det import __version__
from tox_com_det.http.routes import create_app
from tox_com_det.metrics.facts import read_facts
from tox_com_det.metrics.later import Later
from tox_com_det.settings import Settings


def metrics(client):
    """Value of each sample by its name and labels."""
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response.content_type.startswith("text/plain; version=")
    return {
        (sample.name, *(f"{key}={value}" for key, value in sorted(sample.labels.items()))): (
            sample.value
        )
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def test_requests_are_counted_by_route_and_status(client):
    client.post("/predict", json={"text": "you idiot"})
    client.post("/predict", json={"text": 7})
    client.get("/secret-canary")
    client.put("/predict")
    found = metrics(client)
    count = "tox_com_det_requests_total"
    assert found[count, "route=/predict", "status=200"] == 1
    assert found[count, "route=/predict", "status=400"] == 1
    assert found[count, "route=other", "status=404"] == 1
    assert found[count, "route=other", "status=405"] == 1
    assert found["tox_com_det_request_seconds_count", "route=/predict"] == 2
    assert found["tox_com_det_request_seconds_sum", "route=/predict"] > 0
    assert "canary" not in client.get("/metrics").text


def test_texts_words_scores_and_stages_are_counted(client, bundle: TinyBundle):
    text = "you you idiot unheardof"
    answers = client.post("/predict", json={"texts": [text, "you"]}).json["results"]
    found = metrics(client)
    words = {"yes": 0, "no": 0}
    for answer in answers:
        words["yes"] += answer["words"]["known"]
        words["no"] += answer["words"]["unknown"]
    assert words["no"] >= 1
    for name, count in words.items():
        assert found["tox_com_det_words_total", f"in_vocabulary={name}"] == count
    for label in bundle.load().labels:
        assert found["tox_com_det_score_count", f"label={label}"] == 2
        total = sum(answer["scores"][label] for answer in answers)
        assert found["tox_com_det_score_sum", f"label={label}"] == pytest.approx(total)
    for stage in ("tokens", "database", "head", "rest"):
        assert found["tox_com_det_stage_seconds_count", f"stage={stage}"] == 1
        assert found["tox_com_det_stage_seconds_sum", f"stage={stage}"] >= 0


def test_words_are_counted_by_where_their_vectors_came_from(client):
    lookups = "tox_com_det_word_lookups_total"
    client.post("/predict", json={"text": "you idiot unheardof"})
    found = metrics(client)
    assert (found[lookups, "source=cache"], found[lookups, "source=database"]) == (0, 3)
    client.post("/predict", json={"text": "you idiot unheardof you are"})
    found = metrics(client)
    assert (found[lookups, "source=cache"], found[lookups, "source=database"]) == (3, 4)
    assert found["tox_com_det_cached_words", "in_vocabulary=no"] >= 1


def test_golden_outputs_of_a_probe_are_no_answers(client, bundle: TinyBundle):
    assert client.get("/readyz").status_code == 200
    found = metrics(client)
    assert found["tox_com_det_score_count", f"label={bundle.load().labels[0]}"] == 0
    assert found["tox_com_det_words_total", "in_vocabulary=yes"] == 0


def test_model_app_and_slot_are_named(client, bundle: TinyBundle):
    version = bundle.load().model_version
    labels = (f"app={__version__}", f"model={version}", "slot=blue")
    assert metrics(client)["tox_com_det_info", *labels] == 1


def test_requests_that_run_are_told(client):
    found = metrics(client)
    assert found["tox_com_det_requests_held", "state=running"] == 0
    assert found["tox_com_det_requests_held", "state=waiting"] == 0


def test_facts_of_the_server_are_told(make_client, tmp_path):
    path = tmp_path / "facts.json"
    client = make_client(facts_file=path)
    certificate = "tox_com_det_certificate_end_timestamp_seconds", "server=nginx"
    assert certificate not in metrics(client)
    path.write_text(
        json.dumps(
            {"deployed": 1764000000, "backed_up": 1764000007, "certificate_ends": 1771000000.5}
        )
    )
    found = metrics(client)
    assert found["tox_com_det_last_timestamp_seconds", "event=deploy"] == 1764000000
    assert found["tox_com_det_last_timestamp_seconds", "event=backup"] == 1764000007
    assert found[certificate] == 1771000000.5


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"deployed": "x"}', '{"deployed": 1e999}', "[" * 9999, '{"a": 1}']
)
def test_damaged_facts_are_none(tmp_path, text):
    path = tmp_path / "facts.json"
    path.write_text(text)
    assert read_facts(path) == {}


def test_no_file_no_facts(tmp_path):
    assert read_facts(None) == read_facts(tmp_path / "missing") == read_facts(tmp_path) == {}


def test_what_is_put_off_is_done_in_order_at_the_latest_when_much_waits():
    done = []
    later = Later(most=3)
    for number in range(2):
        later.put(partial(done.append, number))
    assert done == []
    later.catch_up()
    assert done == [0, 1]
    for number in range(2, 5):
        later.put(partial(done.append, number))
    assert done == [0, 1, 2, 3, 4]


def test_threads_that_put_off_and_catch_up_lose_nothing():
    done = []
    later = Later(most=4)

    def work():
        for _ in range(2_000):
            later.put(lambda: done.append(1))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for one in threads:
        one.start()
    for _ in range(50):
        later.catch_up()
    for one in threads:
        one.join()
    later.catch_up()
    assert len(done) == 8_000


def test_the_distribution_of_the_builds_sample_is_told(bundle: TinyBundle, tmp_path, database):
    labels = bundle.load().labels
    shares = {label: [0.1 * number for number in range(1, 10)] + [1] for label in labels}
    model = bundle.write(tmp_path / "sampled")
    content = json.loads((model / "manifest.json").read_text())
    content["built_with"]["sample_scores"] = json.dumps({"texts": 100, "shares": shares})
    (model / "manifest.json").write_text(json.dumps(content))
    found = metrics(create_app(Settings(model=model), database).test_client())
    name = "tox_com_det_expected_score_ratio"
    assert found[name, f"label={labels[0]}", "le=0.5"] == pytest.approx(0.5)
    assert found[name, f"label={labels[0]}", "le=1.0"] == 1
