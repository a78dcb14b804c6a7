"""The client that asks for many scores: within the limits, patient, and resumable."""

from __future__ import annotations

import hashlib
import json
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from local_service import LocalService, comments, running
from tiny_bundle import LABELS, TinyBundle

from controller.deploy.bundle import load_bundle
from controller.deploy.errors import DeployError
from controller.deploy.inventory import Host
from controller.deploy.tasks import scored
from controller.scores.model_scores import check_model, model_labels, model_scores
from controller.scores.service import Service

KEY = "toxcomdet_" + "k" * 32
LIMITS = {"max_texts": 4, "max_chars": 60, "max_body_bytes": 2000}


def make_certificate(directory: Path) -> tuple[Path, Path]:
    certificate, key = directory / "cert.pem", directory / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x"]
    subprocess.run(  # noqa: S603 (fixed words, no shell)
        [*command, "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    return certificate, key


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalService]:
    with running(tmp_path, **LIMITS) as service:
        yield service


def test_texts_are_sent_within_the_limits_of_the_service(local: LocalService, tmp_path: Path):
    texts = [*comments(9), "x" * 61, "\ud83d", "日本 " * 15]
    found = model_scores(Service(local.url), texts, tmp_path / "scores")
    assert set(texts) - set(found) == {"x" * 61}
    assert all(list(scores) == list(LABELS) for scores in found.values())
    assert max(local.texts) == 4
    one = next(Service(local.url).score([texts[0]]))
    assert one == [(texts[0], found[texts[0]])]


def test_a_text_that_is_refused_is_left_out_alone(tmp_path: Path):
    with running(tmp_path, max_unknown_words=2) as local:
        texts = ["you", "a b c d e", "are", "great"]
        found = model_scores(Service(local.url), texts, tmp_path / "scores")
    assert list(found) == ["you", "are", "great"]


def test_a_second_run_asks_only_for_what_is_missing(local: LocalService, tmp_path: Path):
    texts = comments(12)
    directory = tmp_path / "scores"
    first = model_scores(Service(local.url), texts[:8], directory)
    (path,) = directory.iterdir()
    with path.open("ab") as file:  # as a killed process leaves it
        file.write(f"{texts[8]},toxic,0.5,\r\n{texts[9]},tox".encode())
    before = sum(local.texts)
    again = model_scores(Service(local.url), texts, directory)
    assert sum(local.texts) - before == 1 + 4  # the question for the model, then the rest
    assert {text: again[text] for text in first} == first
    assert set(again) == set(texts)
    assert again[texts[8]].keys() == set(LABELS)


def test_it_waits_as_long_as_the_service_asks(local: LocalService):
    pauses: list[float] = []
    said: list[str] = []
    service = Service(local.url, pauses.append, say=said.append)
    local.planned = [(429, {"Retry-After": "7"}), (503, {"Retry-After": "999"}), (503, {})]
    model_labels(service)
    assert pauses == [7.0, 60.0, 4.0]
    where = f"{local.url}/limits: HTTP"
    assert said == [
        f"{where} 429: asking again in 7 s",
        f"{where} 503: asking again in 60 s",
        f"{where} 503: asking again in 4 s",
    ]


def test_it_does_not_wait_for_ever(local: LocalService):
    pauses: list[float] = []
    local.planned = [(503, {})] * 20
    with pytest.raises(DeployError, match="HTTP 503 8 times in a row: see `fab status`"):
        model_labels(Service(local.url, pauses.append))
    assert pauses == [1, 2, 4, 8, 16, 32, 60]


def test_a_connection_that_breaks_in_between_is_tried_again(
    local: LocalService, monkeypatch: pytest.MonkeyPatch
):
    pauses: list[float] = []
    service = Service(local.url, pauses.append)
    first = model_labels(service)
    failures = [requests.ConnectionError("closed"), requests.ReadTimeout("slow")]
    request = requests.Session.request

    def fail_first(*arguments: Any, **options: Any) -> requests.Response:
        if failures:
            raise failures.pop(0)
        return request(*arguments, **options)

    monkeypatch.setattr(requests.Session, "request", fail_first)
    assert model_labels(service) == first
    assert pauses == [1, 2]


def test_another_server_is_one_line(local: LocalService):
    local.planned = [(404, {})]
    with pytest.raises(DeployError, match="--url"):
        model_labels(Service(local.url))
    with pytest.raises(DeployError, match="does not answer"):
        model_labels(Service("http://127.0.0.1:9"))
    pauses: list[float] = []
    for url in ("http://[::1", "http://a:b", "http://127.0.0.1:99999"):
        with pytest.raises(DeployError, match=r"cannot be asked .*: name another .* with --url"):
            model_labels(Service(url, pauses.append))
    assert pauses == []


def test_a_deploy_in_between_stops_it(local: LocalService):
    service = Service(local.url)
    model_labels(service)
    service.model = "0123456789ab"
    with pytest.raises(DeployError, match="there was a deploy just now"):
        model_labels(service)


def test_without_an_address_the_inventory_has_to_have_one_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    host = Host("one", "127.0.0.1", 22, "root")
    hosts = [host, replace(host, name="two")]
    monkeypatch.setattr(scored, "read_hosts", lambda *_: hosts)
    with pytest.raises(DeployError, match=r"2 servers \(one, two\): name one by --limit"):
        scored.open_service(None, None, None)
    opened = [SimpleNamespace(url="http://127.0.0.1:8081", pin=None)]
    monkeypatch.setattr(scored, "opened", lambda _: nullcontext(opened[0]))
    del hosts[1]
    assert isinstance(scored.open_service(None, None, None), Service)


def test_a_service_that_requires_a_key_is_sent_one(tmp_path: Path):
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    entry = {"id": "a", "name": "a", "sha256": digest, "requests_per_second": None, "ends": None}
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"version": 1, "keys": [entry]}))
    key_file = tmp_path / "key"
    key_file.write_text(f"{KEY}\n")
    with running(tmp_path, keys_file=keys, require_key=True) as local:
        with pytest.raises(DeployError, match=r"requires a valid key: .* --key-file"):
            model_labels(Service(local.url))
        service = scored.open_service(local.url, None, None, str(key_file))
        assert model_labels(service) == list(LABELS)


def test_a_pinned_certificate_is_accepted_and_another_is_not(tmp_path: Path):
    certificate, key = make_certificate(tmp_path)
    der = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    with running(tmp_path, ssl_context=(str(certificate), str(key))) as local:
        pinned = Service(local.url, pin=hashlib.sha256(der).hexdigest())
        assert model_labels(pinned) == list(LABELS)
        with pytest.raises(DeployError, match="does not answer"):
            model_labels(Service(local.url, pin="00" * 32))


def test_the_bundle_of_another_model_is_refused(local: LocalService, tmp_path: Path):
    check_model(Service(local.url), load_bundle(local.bundle).manifest)
    other = load_bundle(TinyBundle(seed=8).write(tmp_path / "other")).manifest
    with pytest.raises(DeployError, match=r"another model .* run `fab deploy-model`"):
        check_model(Service(local.url), other)
