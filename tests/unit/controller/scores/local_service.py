"""The app with a tiny bundle on loopback, with answers that are planned in advance."""

from __future__ import annotations

import io
import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fake_database import FakeDatabase
from tiny_bundle import WORDS, TinyBundle
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from tox_com_det.http.routes import create_app
from tox_com_det.settings import Settings


class LocalService:
    """`planned` holds answers that come before the app's own: a status and headers.

    `asked` are the paths of the requests, `texts` the number of texts in each of /predict.
    """

    def __init__(self, bundle: Path, tiny: TinyBundle, **settings: Any) -> None:
        self.bundle = bundle
        self.url = ""
        self.planned: list[tuple[int, dict[str, str]]] = []
        self.asked: list[str] = []
        self.texts: list[int] = []
        self._app = create_app(Settings(model=bundle, **settings), FakeDatabase(tiny))

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        self.asked.append(request.path)
        if self.planned:
            status, headers = self.planned.pop(0)
            request.get_data()
            return Response("", status, headers)(environ, start_response)
        if request.path == "/predict":
            body = request.get_data()
            self.texts.append(len(json.loads(body)["texts"]))
            environ["wsgi.input"] = io.BytesIO(body)
        return self._app(environ, start_response)


@contextmanager
def running(
    directory: Path, ssl_context: tuple[str, str] | None = None, **settings: Any
) -> Iterator[LocalService]:
    tiny = TinyBundle()
    service = LocalService(tiny.write(directory / "bundle"), tiny, **settings)
    server = make_server("127.0.0.1", 0, service, threaded=True, ssl_context=ssl_context)
    service.url = f"{'https' if ssl_context else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def comments(count: int) -> list[str]:
    """Different comments of words that the bundle knows, the same ones every time."""
    chance = random.Random(3)  # noqa: S311 (not a secret)
    found: dict[str, None] = {}
    while len(found) < count:
        found[" ".join(chance.choices(WORDS, k=chance.randint(1, 5)))] = None
    return list(found)
