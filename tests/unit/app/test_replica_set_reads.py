"""What of a replica set is read and written: the nearest member, a majority, a secondary."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from database_server import DatabaseServer
from pymongo import MongoClient
from pymongo.monitoring import CommandListener

from tox_com_det.settings import Settings
from tox_com_det.store import backup, concerns, mongodump, restore_steps
from tox_com_det.store import connection as module
from tox_com_det.store.database import EmbeddingDatabase
from tox_com_det.store.documents import marker_of
from tox_com_det.store.errors import EmbeddingNotReady, RestoreError
from tox_com_det.suggestions.store import SuggestionStore, store_of


class Commands(CommandListener):
    """Keeps the commands that a client sends."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def started(self, event: Any) -> None:
        """Keep one."""
        self.sent.append((event.command_name, event.command))

    def succeeded(self, event: Any) -> None:
        """Nothing to remember."""

    def failed(self, event: Any) -> None:
        """Nothing to remember."""

    def of(self, name: str) -> list[Any]:
        """The commands of that name."""
        return [command for found, command in self.sent if found == name]


@pytest.fixture(scope="module")
def lone_set(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseServer]:
    """SecantusDB as a set of one member, `secantus`: the driver sends what it sends to a set."""
    server = DatabaseServer(Path(tmp_path_factory.mktemp("set")), standalone=False)
    server.start()
    server.uri += "/?replicaSet=secantus"
    yield server
    server.stop()


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    listener = Commands()
    client = functools.partial(MongoClient, event_listeners=[listener])
    monkeypatch.setattr(module, "MongoClient", client)
    return listener


@pytest.fixture
def stored(lone_set: DatabaseServer, bundle: Any) -> Iterator[EmbeddingDatabase]:
    embedding = bundle.load().embedding
    with MongoClient[Any](lone_set.uri) as client:
        database = client[bundle.database]
        database[bundle.collection].insert_many(bundle.documents())
        database.restored.insert_one(marker_of(embedding, "work"))
        reader = EmbeddingDatabase(lone_set.uri, 6000, embedding)
        yield reader
        reader.close()
        client.drop_database(bundle.database)


def behind(reader: EmbeddingDatabase, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let the nearest member have no documents yet; returns which members were asked."""
    asked: list[Any] = []
    real: Callable[..., Any] = reader._call

    def call(operation: Callable[[Any], Any], member: Any = concerns.NEAREST) -> Any:
        asked.append(member)
        answer = real(operation, member)
        if member is concerns.NEAREST:
            return [] if isinstance(answer, list) else None
        return answer

    monkeypatch.setattr(reader, "_call", call)
    return asked


def test_word_vectors_are_read_from_the_nearest_member(commands: Commands, stored):
    assert [row.word for row in stored.find(["you"])] == ["you"]
    finds = commands.of("find")
    assert len(finds) == 3
    assert {find["$readPreference"]["mode"] for find in finds} == {"nearest"}


def test_a_member_that_is_behind_is_no_text_of_unknown_words(stored, monkeypatch):
    stored.verify()
    asked = behind(stored, monkeypatch)
    assert [row.word for row in stored.find(["you"])] == ["you"]
    assert asked == [concerns.NEAREST, concerns.PRIMARY]


def test_a_marker_that_has_not_arrived_is_looked_up_at_the_primary(stored, monkeypatch):
    asked = behind(stored, monkeypatch)
    assert stored.verify() == "work"
    assert asked == [concerns.NEAREST, concerns.PRIMARY, concerns.PRIMARY]


def test_what_the_primary_lacks_too_is_an_error(stored, lone_set, bundle):
    stored.verify()
    with MongoClient[Any](lone_set.uri) as client:
        client[bundle.database].drop_collection(bundle.collection)
    with pytest.raises(EmbeddingNotReady, match="lost its documents"):
        stored.find(["you"])


def test_suggestions_are_written_to_a_majority(commands: Commands, lone_set):
    store = SuggestionStore(lone_set.uri, 6000, 1_000_000, 0)
    assert store.add([{"text": "a"}]) == 1
    store.close()
    (insert,) = commands.of("insert")
    concern = insert["writeConcern"]
    assert (concern["w"], concern["j"]) == ("majority", True)
    assert store_of(Settings(model=Path("unused"))) is None


def test_restores_are_written_to_a_majority(lone_set, bundle, monkeypatch):
    listener = Commands()
    embedding = bundle.load().embedding
    with MongoClient[Any](lone_set.uri, event_listeners=[listener]) as client:
        restore_steps.mark(client, embedding, "work")
        client.drop_database(bundle.database)
    (update,) = listener.of("update")
    assert update["writeConcern"] == {"w": "majority", "j": True, "wtimeout": 60_000}


def test_backups_are_read_from_a_secondary_where_there_is_one(lone_set, stored, tmp_path, bundle):
    del stored
    listener = Commands()
    with MongoClient[Any](lone_set.uri, event_listeners=[listener]) as client:
        found = backup.dump(client, lone_set.uri, tmp_path, "pymongo")
    assert f"{bundle.database}.{bundle.collection}" in found
    read = [one for one in listener.of("find") if one["find"] == bundle.collection]
    assert [one["$readPreference"]["mode"] for one in read] == ["secondaryPreferred"]


def test_a_dump_of_a_secondary_that_is_behind_is_refused(lone_set, stored, tmp_path, bundle):
    del stored
    with MongoClient[Any](lone_set.uri) as client:
        client[bundle.database][bundle.collection].delete_one({"_id": "you"})
        with pytest.raises(RestoreError, match="make the backup again"):
            backup.dump(client, lone_set.uri, tmp_path, "pymongo")


@pytest.mark.parametrize(
    ("uri", "options"),
    [
        ("mongodb://127.0.0.1:27017", []),
        (
            "mongodb://192.0.2.1,192.0.2.2/?replicaSet=toxic",
            ["--readPreference=secondaryPreferred"],
        ),
    ],
)
def test_mongodump_asks_a_secondary_of_a_set(uri, options, tmp_path):
    program = tmp_path / "mongodump"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/called\n')
    program.chmod(0o755)
    mongodump.run(str(program), uri, tmp_path, "words", "one")
    called = (tmp_path / "called").read_text().splitlines()
    assert called[0] == f"--uri={uri}"
    assert [one for one in called if "readPreference" in one] == options
