"""The load itself: it notices a wrong answer, a failure and an unknown model."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from faulty_server import wait
from under_load import UnderLoad

pytestmark = pytest.mark.quick

MANIFEST = {
    "labels": ["toxic", "insult"],
    "golden_outputs": {"tolerance": 1e-4, "cases": [{"text": "hello", "scores": [0.25, 0.5]}]},
}
RIGHT = {"model": "right", "scores": {"toxic": 0.25, "insult": 0.5}}


class Service(ThreadingHTTPServer):
    """Gives every request the same answer."""

    daemon_threads = True
    # By default 5 connections may wait: what comes while a busy machine accepts none is dropped.
    request_queue_size = 128
    answer: tuple[int, object] = (200, RIGHT)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        assert isinstance(self.server, Service)
        status, answer = self.server.answer
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def load(service, tmp_path) -> Iterator[UnderLoad]:
    known = tmp_path / "known"
    known.mkdir()
    (known / "right.json").write_text(json.dumps(MANIFEST))
    made = UnderLoad(
        f"http://127.0.0.1:{service.server_port}", known, tmp_path / "load.jsonl", rate=100
    )
    yield made
    made.kill()


@contextmanager
def running(load: UnderLoad, requests: int = 30) -> Iterator[None]:
    load.start()
    yield
    wait(lambda: len(load.so_far().requests) >= requests, "the load")


def test_right_answers_are_counted_and_half_of_the_connections_are_kept_alive(load):
    begun = time.time()
    with running(load, 60):
        pass
    seen = load.stop()
    assert (seen.failed, seen.wrong, seen.downtime) == ([], [], 0.0)
    kinds = [one["kind"] for one in seen.requests]
    assert {"keep", "new", "slow"} == set(kinds)
    assert abs(kinds.count("keep") - kinds.count("new")) < len(kinds) / 4
    assert 0 < seen.longest < time.time() - begun
    assert len(seen.answered_by("right")) == len(seen.requests)


def noticed(load: UnderLoad, words: str) -> bool:
    return any(words in one["wrong"] for one in load.so_far().wrong)


def test_wrong_answer_is_noticed(load, service):
    wrong = {
        "toxic of 'hello' is 0.25020": {**RIGHT, "scores": {"toxic": 0.2502, "insult": 0.5}},
        "toxic is None": {**RIGHT, "scores": {"toxic": None, "insult": 0.5}},
        "labels ['toxic']": {**RIGHT, "scores": {"toxic": 0.25}},
        "model another may not answer": {**RIGHT, "model": "another"},
        "no scores": {"model": "right"},
    }
    with running(load):
        for words, answer in wrong.items():
            service.answer = (200, answer)
            wait(partial(noticed, load, words), words)
        service.answer = (200, RIGHT)
    seen = load.stop()
    assert 0 < len(seen.wrong) < len(seen.requests)
    assert seen.failed == []


def test_failure_is_noticed_with_its_duration(load, service):
    begun = time.time()
    with running(load):
        service.answer = (503, {})
        wait(lambda: load.so_far().failed, "a failure")
        service.answer = (200, RIGHT)
    wait(lambda: load.so_far().requests[-1]["status"] == 200, "good answers")
    seen = load.stop()
    assert seen.failed
    assert 0 < seen.downtime < time.time() - begun
    assert seen.wrong == []


def test_model_that_is_added_during_the_load_may_answer(load, service):
    with running(load):
        (load.out.parent / "known/another.json").write_text(json.dumps(MANIFEST))
        service.answer = (200, {**RIGHT, "model": "another"})
        wait(lambda: load.so_far().answered_by("another"), "the other model")
    seen = load.stop()
    assert seen.wrong == []
