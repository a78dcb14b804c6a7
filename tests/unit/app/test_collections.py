"""Dropping what no release names any more, and nothing else."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from pymongo import MongoClient

from tox_com_det.store import collections
from tox_com_det.store.collections import main

OLD, NEW = "glove_0123456789ab", "glove_ba9876543210"


@pytest.fixture(autouse=True)
def database(server, stored_bundle, monkeypatch):
    """A database of the test's own with two embeddings and what is none."""
    monkeypatch.setenv("TOX_COM_DET_MONGODB_URI", server.uri)
    monkeypatch.setattr(collections, "DATABASE", stored_bundle.database)
    with MongoClient(server.uri) as client:
        database = client[stored_bundle.database]
        for name in (OLD, NEW, "marked", "somebodys"):
            database[name].insert_one({"_id": "word", "index": 1})
        for name in (OLD, NEW, "marked"):
            database.restored.insert_one({"_id": name})
        yield database


def told(capsys, *options):
    """What the command says of each collection."""
    assert main(list(options)) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    return {one.pop("name"): one for one in json.loads(out)["collections"]}


def left(database):
    """Collections, and markers."""
    return (
        sorted(set(database.list_collection_names()) - {"restored"}),
        sorted(marker["_id"] for marker in database.restored.find()),
    )


def test_without_drop_it_only_tells(database, capsys):
    before = left(database)
    found = told(capsys, "--keep", NEW)
    assert [(name, one["kept"], one["dropped"]) for name, one in found.items()] == [
        (OLD, False, False),
        (NEW, True, False),
        ("marked", False, False),
    ]
    assert all(one["bytes"] > 0 for one in found.values())
    assert left(database) == before


def test_what_was_restored_just_now_stays_since_a_deploy_may_be_about_to_name_it(database, capsys):
    now = datetime.now(UTC)
    for name, age in ((OLD, 7200), (NEW, 60)):
        change = {"$set": {"restored_at": now - timedelta(seconds=age)}}
        database.restored.update_one({"_id": name}, change)
    found = told(capsys, "--drop", "--keep-young", "3600")
    assert [name for name, one in found.items() if one["dropped"]] == [OLD, "marked"]
    assert left(database) == (sorted([NEW, "somebodys"]), [NEW])


def test_what_need_not_stay_goes_with_its_marker_and_what_is_no_embedding_stays(database, capsys):
    found = told(capsys, "--drop", "--keep", f"{database.name}.{NEW}")
    assert [name for name, one in found.items() if one["dropped"]] == [OLD, "marked"]
    assert left(database) == ([NEW, "somebodys"], [NEW])


def test_only_what_is_named_goes_and_only_if_it_need_not_stay(database, capsys):
    told(capsys, "--drop", "--only", OLD, "--only", NEW, "--keep", NEW, "--only", "somebodys")
    assert left(database) == ([NEW, "marked", "somebodys"], [NEW, "marked"])


def test_an_unfinished_restore_and_a_lonely_marker_go_too(database, capsys):
    database.restored.delete_one({"_id": OLD})
    database.drop_collection(NEW)
    found = told(capsys, "--drop", "--keep", "marked")
    assert found[NEW] == {"bytes": 0, "kept": False, "dropped": True}
    assert found[OLD]["dropped"]
    assert left(database) == (["marked", "somebodys"], ["marked"])


def test_the_markers_themselves_are_never_taken_for_an_embedding(database, capsys):
    database.restored.insert_many([{"_id": "restored"}, {"_id": "system.users"}])
    assert not {"restored", "system.users"} & told(capsys, "--drop").keys()
    assert "restored" in database.list_collection_names()


def test_the_marker_is_gone_before_its_collection(database, monkeypatch):
    class Watching:
        def __init__(self):
            self.seen = None

        def __getitem__(self, name):
            return database[name]

        def drop_collection(self, name):
            self.seen = database.restored.find_one({"_id": name})
            database.drop_collection(name)

    watching = Watching()
    watching.seen = "not called"
    collections.drop(watching, OLD)
    assert watching.seen is None


def test_an_empty_database_has_none(database, capsys):
    database.client.drop_database(database.name)
    assert told(capsys, "--drop") == {}


def failed(capsys):
    """The one line of a failed run."""
    assert main([]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("\n") == 1
    return json.loads(out)


def test_a_database_that_is_away_is_one_line_without_the_password(monkeypatch, capsys):
    monkeypatch.setattr(collections, "CONNECT_MS", 200)
    monkeypatch.setenv("TOX_COM_DET_MONGODB_URI", "mongodb://u:secret@127.0.0.1:9/?authSource=a")
    answer = failed(capsys)
    assert answer["kind"] == "database"
    assert "127.0.0.1:9 does not answer: see `systemctl status" in answer["error"]
    assert "secret" not in answer["error"]


def test_an_address_that_is_none_is_one_line(monkeypatch, capsys):
    monkeypatch.setenv("TOX_COM_DET_MONGODB_URI", "localhost")
    assert failed(capsys)["kind"] == "other"


def test_the_command_is_a_module_that_can_be_run(server, monkeypatch):
    with MongoClient(server.uri) as client:
        assert client.word_embeddings.list_collection_names() == []
    done = subprocess.run(
        [sys.executable, "-m", "tox_com_det.store.collections"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {"collections": []}
