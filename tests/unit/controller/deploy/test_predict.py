"""The client of the service: golden outputs, and one line for each way a request can fail."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from controller.deploy import predict
from controller.deploy.errors import DeployError
from tox_com_det.model.manifest import GoldenOutput, GoldenOutputs

LABELS = ("toxic", "obscene")
GOLDEN = GoldenOutputs(1e-4, (GoldenOutput("idiot", (0.9, 0.2), None),), None)


class Service:
    """Answers every request with `status` and `body`."""

    def __init__(self) -> None:
        self.status = 200
        self.body: Any = {"model": "m", "scores": {"toxic": 0.9, "obscene": 0.2}}
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                body = service.body
                data = (body if isinstance(body, str) else json.dumps(body)).encode()
                self.send_response(service.status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # must be of no interest on loopback
    service = Service()
    thread = threading.Thread(target=service.http.serve_forever, args=(0.02,))
    thread.start()
    yield service
    service.http.shutdown()
    service.http.server_close()
    thread.join()


def test_golden_outputs_match(service: Service) -> None:
    assert predict.compare_golden(service.url, GOLDEN, LABELS, "m") == 0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"model": "n", "scores": {"toxic": 0.9, "obscene": 0.2}}, "answered by model n"),
        (
            {"model": "m", "scores": {"toxic": 0.8, "obscene": 0.2}},
            r"toxic of 'idiot' is 0\.800000, expected 0\.900000",
        ),
        ({"model": "m", "scores": {"toxic": math.nan, "obscene": 0.2}}, "not a finite number"),
        ({"model": "m", "scores": {"toxic": 0.9}}, r"labels of 'idiot' are"),
        ({"model": "m"}, "answered 200"),
    ],
)
def test_wrong_answers_are_an_error(service: Service, body: Any, words: str) -> None:
    service.body = body
    with pytest.raises(DeployError, match=words):
        predict.compare_golden(service.url, GOLDEN, LABELS, "m")


def test_message_of_the_service_is_passed_on(service: Service) -> None:
    service.status, service.body = 503, {"error": {"message": "no vectors"}}
    with pytest.raises(DeployError, match="answered 503: no vectors; see `fab status`"):
        predict.ask(service.url, "x")


def test_page_of_the_proxy_is_passed_on(service: Service) -> None:
    service.status, service.body = 502, "<html>Bad\n Gateway</html>"
    with pytest.raises(DeployError, match="answered 502: <html>Bad Gateway"):
        predict.ask(service.url, "x")


def test_service_that_does_not_answer_is_one_line() -> None:
    with pytest.raises(DeployError, match="does not answer") as caught:
        predict.ask("http://127.0.0.1:9", "x")
    assert "\n" not in str(caught.value)


def test_service_that_requires_a_key_names_the_option(service: Service) -> None:
    service.status, service.body = 401, {"error": {"message": "a key is required"}}
    words = "a key is required: run `fab test-model --key-file FILE`"
    with pytest.raises(predict.KeyRefused, match=words):
        predict.ask(service.url, "x")


def test_a_key_comes_from_a_file_of_one_word(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(DeployError, match="name a file with a key of `fab add-key`"):
        predict.read_key(path)
    path.write_text("one two")
    with pytest.raises(DeployError, match="expected one word in it"):
        predict.read_key(path)
    path.write_text("one\n")
    assert predict.read_key(path) == "one"
