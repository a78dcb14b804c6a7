"""Asking the service as its users do."""

from __future__ import annotations

import io
import json
import math
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from controller.deploy import predict
from controller.deploy.errors import DeployError
from tox_com_det.model.manifest import GoldenOutput, GoldenOutputs

LABELS = ("toxic", "obscene")
KNOWN = GoldenOutputs(1e-4, (GoldenOutput("idiot", (0.9, 0.2), None),), None)


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


def test_known_answers_come_out(service: Service) -> None:
    assert predict.ask_known(service.url, KNOWN, LABELS, "m") == 0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"model": "n", "scores": {"toxic": 0.9, "obscene": 0.2}}, "answered by model n"),
        ({"model": "m", "scores": {"toxic": 0.8, "obscene": 0.2}}, "difference 0.1"),
        ({"model": "m", "scores": {"toxic": math.nan, "obscene": 0.2}}, "difference inf"),
        ({"model": "m", "scores": {"toxic": 0.9}}, "difference inf"),
        ({"model": "m"}, "answers 200"),
    ],
)
def test_other_answers_are_an_error(service: Service, body: Any, words: str) -> None:
    service.body = body
    with pytest.raises(DeployError, match=words):
        predict.ask_known(service.url, KNOWN, LABELS, "m")


def test_the_services_own_words_are_passed_on(service: Service) -> None:
    service.status, service.body = 503, {"error": {"message": "no vectors"}}
    with pytest.raises(DeployError, match="answers 503: no vectors; see `fab status`"):
        predict.ask(service.url, "x")


def test_page_of_the_proxy_is_passed_on(service: Service) -> None:
    service.status, service.body = 502, "<html>Bad\n Gateway</html>"
    with pytest.raises(DeployError, match="answers 502: <html>Bad Gateway"):
        predict.ask(service.url, "x")


def test_silence_is_one_line() -> None:
    with pytest.raises(DeployError, match="does not answer") as caught:
        predict.ask("http://127.0.0.1:9", "x")
    assert "\n" not in str(caught.value)


def test_table_off_a_terminal_is_plain_text() -> None:
    out = io.StringIO()
    predict.show([("you", {"toxic": 0.5, "obscene": 0.25})], out)
    assert out.getvalue().splitlines() == [
        "         toxic       obscene  comment",
        "         0.500         0.250  you",
    ]
