"""A stand-in for Google's Perspective API on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "AIza-test-key"
ERROR = "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"


class StandIn:
    """Answers with the length of the text; `planned` holds answers that come first.

    A planned answer is a status with its body and headers; None closes the connection.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []
        self.planned: list[tuple[int, Any, dict[str, str]] | None] = []
        self.address = ""

    def answer(self, key: str, body: dict[str, Any]) -> tuple[int, Any, dict[str, str]] | None:
        text, names = body["comment"]["text"], list(body["requestedAttributes"])
        self.asked.append((text, names))
        if self.planned:
            return self.planned.pop(0)
        if key != KEY:
            return (
                400,
                {"error": {"message": "API key not valid. Please pass a valid API key."}},
                {},
            )
        if text == "foreign":
            details = [{"@type": ERROR, "errorType": "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"}]
            return 400, {"error": {"message": "Attribute ...", "details": details}}, {}
        score = {"summaryScore": {"value": len(text) / 1000, "type": "PROBABILITY"}}
        return 200, {"attributeScores": dict.fromkeys(names, score)}, {}


@contextmanager
def running() -> Iterator[StandIn]:
    stand_in = StandIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path == "/v1alpha1/comments:analyze"
            found = stand_in.answer(self.headers.get("x-goog-api-key", ""), body)
            if found is None:
                self.close_connection = True
                return
            status, content, headers = found
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stand_in.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
