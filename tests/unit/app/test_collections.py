"""Dropping collections that no model refers to any more, and nothing else."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from pymongo import MongoClient

from tox_com_det.store import collections, maintenance
from tox_com_det.store.collections import main

OLD, NEW = "glove_0123456789ab", "glove_ba9876543210"


@pytest.fixture(autouse=True)
def database(server, stored_bundle, monkeypatch):
    """A database for this test, with embeddings and another collection."""
    monkeypatch.setenv("TOX_COM_DET_MONGODB_URI", server.uri)
    monkeypatch.setattr(collections, "DATABASE", stored_bundle.database)
    with MongoClient(server.uri) as client:
        database = client[stored_bundle.database]
        for name in (OLD, NEW, "marked", "unrelated"):
            database[name].insert_one({"_id": "word", "index": 1})
        for name in (OLD, NEW, "marked"):
            database.restored.insert_one({"_id": name})
        yield database


def run(capsys, *options):
    """Run the command; its report of each collection by name."""
    assert main(list(options)) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    return {one.pop("name"): one for one in json.loads(out)["collections"]}


def contents(database):
    """Names of the collections, and of the markers."""
    return (
        sorted(set(database.list_collection_names()) - {"restored"}),
        sorted(marker["_id"] for marker in database.restored.find()),
    )


def test_without_drop_nothing_is_changed(database, capsys):
    before = contents(database)
    found = run(capsys, "--keep", NEW)
    assert [(name, one["kept"], one["dropped"]) for name, one in found.items()] == [
        (OLD, False, False),
        (NEW, True, False),
        ("marked", False, False),
    ]
    assert all(one["bytes"] > 0 for one in found.values())
    assert contents(database) == before


def test_a_recent_restore_is_kept_for_a_deploy_in_progress(database, capsys):
    now = datetime.now(UTC)
    for name, age in ((OLD, 7200), (NEW, 60)):
        change = {"$set": {"restored_at": now - timedelta(seconds=age)}}
        database.restored.update_one({"_id": name}, change)
    found = run(capsys, "--drop", "--keep-young", "3600")
    assert [name for name, one in found.items() if one["dropped"]] == [OLD, "marked"]
    assert contents(database) == (sorted([NEW, "unrelated"]), [NEW])


def test_drop_removes_embeddings_with_their_markers_and_nothing_else(database, capsys):
    found = run(capsys, "--drop", "--keep", f"{database.name}.{NEW}")
    assert [name for name, one in found.items() if one["dropped"]] == [OLD, "marked"]
    assert contents(database) == ([NEW, "unrelated"], [NEW])


def test_only_limits_what_is_dropped_and_keep_has_precedence(database, capsys):
    run(capsys, "--drop", "--only", OLD, "--only", NEW, "--keep", NEW, "--only", "unrelated")
    assert contents(database) == ([NEW, "marked", "unrelated"], [NEW, "marked"])


def test_unfinished_restores_and_orphaned_markers_are_dropped(database, capsys):
    database.restored.delete_one({"_id": OLD})
    database.drop_collection(NEW)
    found = run(capsys, "--drop", "--keep", "marked")
    assert found[NEW] == {"bytes": 0, "kept": False, "dropped": True}
    assert found[OLD]["dropped"]
    assert contents(database) == (["marked", "unrelated"], ["marked"])


def test_the_collection_of_markers_is_never_dropped(database, capsys):
    database.restored.insert_many([{"_id": "restored"}, {"_id": "system.users"}])
    assert not {"restored", "system.users"} & run(capsys, "--drop").keys()
    assert "restored" in database.list_collection_names()


def test_the_marker_is_deleted_before_its_collection(database, monkeypatch):
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
    maintenance.drop(watching, OLD)
    assert watching.seen is None


def test_an_empty_database_has_no_embeddings(database, capsys):
    database.client.drop_database(database.name)
    assert run(capsys, "--drop") == {}


def failed(capsys):
    """Run the command, which must fail; its one line."""
    assert main([]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("\n") == 1
    return json.loads(out)


def test_an_unreachable_database_is_one_line_without_the_password(monkeypatch, capsys):
    monkeypatch.setattr(maintenance, "CONNECT_MS", 200)
    monkeypatch.setenv("TOX_COM_DET_MONGODB_URI", "mongodb://u:secret@127.0.0.1:9/?authSource=a")
    answer = failed(capsys)
    assert answer["kind"] == "database"
    assert "127.0.0.1:9 does not answer: see `systemctl status" in answer["error"]
    assert "secret" not in answer["error"]


def test_an_invalid_uri_is_one_line(monkeypatch, capsys):
    monkeypatch.setenv("TOX_COM_DET_MONGODB_URI", "localhost")
    assert failed(capsys)["kind"] == "other"


def test_the_module_runs_as_a_command(server, monkeypatch):
    with MongoClient(server.uri) as client:
        assert client.word_embeddings.list_collection_names() == []
    done = subprocess.run(
        [sys.executable, "-m", "tox_com_det.store.collections"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {"collections": []}
