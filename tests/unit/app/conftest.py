"""Fixtures of the app's tests: a tiny bundle, a fake source of rows, a real database process."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest
from database_server import DatabaseServer
from flask.testing import FlaskClient
from tiny_bundle import TinyBundle

from tox_com_det.database import DatabaseUnavailable, EmbeddingNotReady, Row
from tox_com_det.settings import Settings
from tox_com_det.web import create_app

_NUMBERS = itertools.count()


class FakeDatabase:
    """Rows of a bundle, with a record of what was asked; can be away or not ready."""

    def __init__(self, bundle: TinyBundle) -> None:
        self._rows = {word: Row(word, index, vector) for word, index, vector in bundle.rows()}
        self.asked: list[list[str]] = []
        self.away = False
        self.problem: str | None = None

    def find(self, words: Collection[str]) -> list[Row]:
        """Rows of `words`."""
        self.verify()
        self.asked.append(list(words))
        return [self._rows[word] for word in words if word in self._rows]

    def verify(self) -> str:
        """Raise what the database would raise."""
        if self.away:
            raise DatabaseUnavailable("MongoDB at 127.0.0.1:27017 does not answer")
        if self.problem is not None:
            raise EmbeddingNotReady(self.problem)
        return next(iter(self._rows))


@pytest.fixture()
def bundle() -> TinyBundle:
    return TinyBundle()


@pytest.fixture()
def model(bundle: TinyBundle, tmp_path: Path) -> Path:
    return bundle.write(tmp_path / "bundle")


@pytest.fixture()
def database(bundle: TinyBundle) -> FakeDatabase:
    return FakeDatabase(bundle)


@pytest.fixture()
def make_client(model: Path, database: FakeDatabase) -> Callable[..., FlaskClient]:
    def make(**settings: object) -> FlaskClient:
        return create_app(Settings(model=model, **settings), database).test_client()

    return make


@pytest.fixture()
def client(make_client: Callable[..., FlaskClient]) -> FlaskClient:
    return make_client(slot="blue")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseServer]:
    """One database process for all tests; each takes a database name of its own."""
    server = DatabaseServer(tmp_path_factory.mktemp("database"))
    server.start()
    yield server
    server.stop()


@pytest.fixture()
def stored_bundle() -> TinyBundle:
    """A bundle whose database name no other test has."""
    return TinyBundle(database=f"word_embeddings_{next(_NUMBERS)}")
