"""Lookups in a real database process: commands, outages and recovery."""

import functools
import time
from dataclasses import astuple
from types import SimpleNamespace

import pytest
from bson.binary import Binary
from database_server import DatabaseServer
from pymongo import MongoClient
from pymongo.errors import AutoReconnect, OperationFailure
from pymongo.monitoring import CommandListener

from tox_com_det.http.routes import create_app
from tox_com_det.settings import Settings
from tox_com_det.store import connection as module
from tox_com_det.store.connection import shown_uri
from tox_com_det.store.database import EmbeddingDatabase
from tox_com_det.store.documents import marker_of, parse_row
from tox_com_det.store.errors import DatabaseUnavailable, EmbeddingNotReady


class Commands(CommandListener):
    """Records the commands that a client sends."""

    def __init__(self):
        self.sent = []

    def started(self, event):
        self.sent.append((event.command_name, event.command.get(event.command_name), event.command))

    def succeeded(self, event):
        """Nothing to remember."""

    def failed(self, event):
        """Nothing to remember."""

    def finds(self):
        """Collections of the finds so far; forgets them."""
        names = [name for command, name, _ in self.sent if command == "find"]
        self.sent.clear()
        return names


@pytest.fixture
def commands(monkeypatch):
    listener = Commands()
    client = functools.partial(MongoClient, event_listeners=[listener])
    monkeypatch.setattr(module, "MongoClient", client)
    return listener


def store(uri, bundle):
    """Insert a bundle's rows and marker into the database."""
    with MongoClient(uri) as client:
        database = client[bundle.database]
        database[bundle.collection].insert_many(bundle.documents())
        database.restored.insert_one(marker_of(bundle.load().embedding, "work"))


def change(uri, bundle, collection, query, update):
    with MongoClient(uri) as client:
        client[bundle.database][collection].update_one(query, update)


@pytest.fixture
def stored(server, stored_bundle):
    store(server.uri, stored_bundle)
    return stored_bundle


@pytest.fixture
def embedding(server, stored):
    database = EmbeddingDatabase(server.uri, 6000, stored.load().embedding)
    yield database
    database.close()


def test_rows_are_read_as_they_were_stored(embedding, stored):
    expected = [row for row in stored.rows() if row[0] in ("naïve", "日本", "ß")]
    assert sorted(map(astuple, embedding.find(["日本", "zork", "ß", "naïve"]))) == sorted(expected)


def test_words_with_odd_characters_can_be_looked_up(embedding):
    assert embedding.find(["a\x00b", "$where", "a.b", "", "x" * 20000]) == []


def test_every_stored_word_is_found_including_the_witness(embedding, stored):
    for word in stored.words:
        assert [row.word for row in embedding.find([word])] == [word]


def test_one_request_sends_one_find_for_the_words_that_are_not_cached(
    commands, server, stored, tmp_path
):
    model = stored.write(tmp_path / "model")
    embedding = EmbeddingDatabase(server.uri, 6000, stored.load().embedding)
    client = create_app(Settings(model=model), embedding).test_client()
    assert commands.sent == []
    client.post("/predict", json={"text": "work"})
    # Before the first lookup, the collection is verified: its marker and its witness.
    assert commands.finds() == ["restored", stored.collection, stored.collection]
    client.post("/predict", json={"texts": ["you are zork", "my great work", "you and you"]})
    (find,) = [command for name, _, command in commands.sent if name == "find"]
    asked = find["filter"]["_id"]["$in"]
    assert sorted(asked[1:]) == sorted({"you", "are", "zork", "my", "great", "and"} - {asked[0]})
    commands.sent.clear()
    client.post("/predict", json={"text": "you are zork and work"})
    client.get("/livez")
    assert commands.sent == []
    embedding.close()


def test_after_an_outage_the_collection_is_verified_again(commands, server, stored):
    def fail(database):
        raise AutoReconnect("connection closed")

    embedding = EmbeddingDatabase(server.uri, 6000, stored.load().embedding)
    embedding.find(["you"])
    commands.finds()
    with pytest.raises(DatabaseUnavailable):
        embedding._call(fail)
    embedding._connection._retry_at = 0.0
    embedding.find(["are"])
    assert commands.finds() == ["restored", stored.collection, stored.collection]
    embedding.close()


@pytest.mark.parametrize(
    ("key", "value"),
    [("checksum", "sha256:" + "0" * 64), ("count", 9), ("dimension", 5), ("dtype", "float16")],
)
def test_another_embeddings_marker_is_not_ready_and_names_the_difference(
    embedding, server, stored, key, value
):
    change(server.uri, stored, "restored", {}, {"$set": {key: value}})
    with pytest.raises(EmbeddingNotReady, match=f"has {key} .* run `fab restore-embeddings`"):
        embedding.find(["you"])


def test_a_marker_without_a_witness_is_not_ready(embedding, server, stored):
    change(server.uri, stored, "restored", {}, {"$unset": {"witness": 1}})
    with pytest.raises(EmbeddingNotReady, match="has no witness word"):
        embedding.find(["you"])


def test_without_a_marker_it_is_not_ready(embedding, server, stored):
    with MongoClient(server.uri) as client:
        client[stored.database].restored.delete_many({})
    with pytest.raises(EmbeddingNotReady, match="no marker"):
        embedding.find(["you"])


def test_a_collection_dropped_under_a_running_app_is_an_error_and_not_unknown_words(
    embedding, server, stored
):
    embedding.find(["you"])
    with MongoClient(server.uri) as client:
        client[stored.database].drop_collection(stored.collection)
    for words in ("lost its documents", "has a marker but no documents"):
        with pytest.raises(EmbeddingNotReady, match=words):
            embedding.find(["are"])


def test_a_document_in_another_form_is_not_ready(embedding, server, stored):
    change(server.uri, stored, stored.collection, {"_id": "you"}, {"$set": {"vector": b"short"}})
    with pytest.raises(EmbeddingNotReady, match="vector of word 'you' is 5 bytes, expected 16"):
        embedding.find(["you"])


def test_the_app_recovers_when_the_database_comes_back(tmp_path, stored_bundle, monkeypatch):
    server = DatabaseServer(tmp_path / "data")
    settings = Settings(
        model=stored_bundle.write(tmp_path / "model"),
        mongodb_uri=server.uri,
        mongodb_timeout_ms=6000,
    )
    embedding = EmbeddingDatabase(server.uri, 6000, stored_bundle.load().embedding)
    client = create_app(settings, embedding).test_client()

    def status(text):
        return client.post("/predict", json={"text": text}).status_code

    def becomes(text, expected):
        deadline = time.monotonic() + 300
        while status(text) != expected and time.monotonic() < deadline:
            time.sleep(0.05)
        return status(text) == expected

    # The app starts while the database is down.
    assert client.get("/livez").status_code == 200
    assert client.get("/readyz").status_code == 503
    assert status("you") == 503
    server.start()
    try:
        store(server.uri, stored_bundle)
        assert becomes("you are great", 200)
        assert client.get("/readyz").status_code == 200
        server.stop()
        with monkeypatch.context() as slow:
            slow.setattr(module, "_RETRY_SECONDS", 300.0)
            assert status("you work") == 503
        assert status("you are great") == 200
        # At once: the database is not asked, which would take the timeout of 6 s again.
        asked: list[str] = []
        with monkeypatch.context() as watched:
            unasked = SimpleNamespace(get_database=lambda name, **_: asked.append(name))
            watched.setattr(embedding._connection, "_client", unasked)
            assert status("you work") == 503
        assert asked == []
        embedding._connection._retry_at = 0.0
        server.start()
        assert becomes("you work", 200)
        assert client.get("/readyz").status_code == 200
    finally:
        server.stop()
        embedding.close()


def test_an_unreachable_database_is_an_error_within_the_timeout(bundle):
    embedding = EmbeddingDatabase("mongodb://u:secret@127.0.0.1:9", 200, bundle.load().embedding)
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable, match=r"127\.0\.0\.1:9 does not answer") as error:
        embedding.find(["you"])
    # Its own 0.2 s, not the 30 s of the driver.
    assert time.monotonic() - began < 25
    assert "secret" not in str(error.value)
    embedding.close()


def test_a_refused_operation_is_an_error_with_the_databases_reason(bundle, monkeypatch):
    def refuse(uri, timeout_ms):
        raise OperationFailure("x", 18, {"errmsg": "Authentication failed."})

    monkeypatch.setattr(module, "connect", refuse)
    embedding = EmbeddingDatabase("mongodb://db", 200, bundle.load().embedding)
    with pytest.raises(DatabaseUnavailable, match=r"db:27017 refused: Authentication failed\.$"):
        embedding.find(["you"])


def test_a_refused_operation_is_not_quoted(bundle, monkeypatch):
    def refuse(uri, timeout_ms):
        words = 'not authorized on tox to execute command { find: "x", filter: { _id: "canary" } }'
        raise OperationFailure(words, 13, {"errmsg": words})

    monkeypatch.setattr(module, "connect", refuse)
    embedding = EmbeddingDatabase("mongodb://db", 200, bundle.load().embedding)
    with pytest.raises(DatabaseUnavailable, match=r"refused: not authorized on tox .* command$"):
        embedding.find(["you"])


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("mongodb://user:secret@db:27018/x", "db:27018"),
        ("mongodb://a,b:1", "a:27017,b:1"),
        ("mongodb://user:sec/ret@", "the given address"),
    ],
)
def test_a_uri_is_shown_without_its_password(uri, shown):
    assert shown_uri(uri) == shown


@pytest.mark.parametrize(
    "document",
    [
        {"_id": "a", "index": 1},
        {"_id": "a", "index": 1, "vector": b"0" * 16, "more": 1},
        {"_id": 1, "index": 1, "vector": b"0" * 16},
        {"_id": "", "index": 1, "vector": b"0" * 16},
        {"_id": "a", "index": 0, "vector": b"0" * 16},
        {"_id": "a", "index": True, "vector": b"0" * 16},
        {"_id": "a", "index": "1", "vector": b"0" * 16},
        {"_id": "a", "index": 1, "vector": [0.0] * 4},
        {"_id": "a", "index": 1, "vector": Binary(b"0" * 16, 5)},
        {"_id": "a", "index": 1, "vector": b"0" * 15},
    ],
)
def test_documents_in_another_form_are_refused(bundle, document):
    with pytest.raises(ValueError, match=r"document|index|vector"):
        parse_row(document, bundle.load().embedding)
