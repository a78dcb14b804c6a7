"""Fixtures of the app's tests: a tiny bundle, a fake source of rows, a real database process."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from database_server import DatabaseServer
from fake_database import FakeDatabase
from flask.testing import FlaskClient
from tiny_bundle import TinyBundle
from werkzeug.serving import make_server

from tox_com_det.http.routes import create_app
from tox_com_det.settings import Settings

_NUMBERS = itertools.count()


@pytest.fixture
def bundle() -> TinyBundle:
    return TinyBundle()


@pytest.fixture
def model(bundle: TinyBundle, tmp_path: Path) -> Path:
    return bundle.write(tmp_path / "bundle")


@pytest.fixture
def database(bundle: TinyBundle) -> FakeDatabase:
    return FakeDatabase(bundle)


@pytest.fixture
def make_client(model: Path, database: FakeDatabase) -> Callable[..., FlaskClient]:
    def make(**settings: object) -> FlaskClient:
        return create_app(Settings(model=model, **settings), database).test_client()

    return make


@pytest.fixture
def client(make_client: Callable[..., FlaskClient]) -> FlaskClient:
    return make_client(slot="blue")


@pytest.fixture
def serve(model: Path, database: FakeDatabase) -> Iterator[Callable[..., str]]:
    """Start the service with settings; returns its address."""
    servers = []

    def start(**settings: object) -> str:
        app = create_app(Settings(model=model, **settings), database)
        server = make_server("127.0.0.1", 0, app, threaded=True)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseServer]:
    """One database process for all tests; each takes a database name of its own."""
    server = DatabaseServer(tmp_path_factory.mktemp("database"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def stored_bundle() -> TinyBundle:
    """A bundle whose database name no other test has."""
    return TinyBundle(database=f"word_embeddings_{next(_NUMBERS)}")
