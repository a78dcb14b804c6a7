"""Repairing word vectors in place: whatever is wrong with them, the collection is never dropped."""

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import OperationFailure
from tiny_bundle import TinyBundle

from tox_com_det.store import repair
from tox_com_det.store import restore as module
from tox_com_det.store import restore_steps as steps
from tox_com_det.store.database import EmbeddingDatabase
from tox_com_det.store.disk_space import RESERVE_BYTES, DiskSpace
from tox_com_det.store.errors import EmbeddingNotReady
from tox_com_det.store.restore import main


@pytest.fixture
def bundle(stored_bundle):
    return stored_bundle


@pytest.fixture
def run(model):
    """Restore the bundle, with more options; the exit code."""
    manifest, dump = model / "manifest.json", model / "dump"

    def restore(*options):
        return main(
            ["--manifest", str(manifest), "--dump", str(dump), "--tool", "pymongo", *options]
        )

    return restore


@pytest.fixture
def database(server, bundle, run, monkeypatch):
    """The database with the bundle's vectors; from now on nothing may be dropped."""
    monkeypatch.setenv("TOX_COM_DET_MONGODB_URI", server.uri)
    assert run() == 0

    def drop(*arguments):
        raise AssertionError("a collection that serves was dropped")

    monkeypatch.setattr(module, "drop", drop)
    with MongoClient(server.uri) as client:
        yield client[bundle.database]


def is_whole(database, bundle):
    words = list(database[bundle.collection].find(sort=[("_id", 1)]))
    return words == bundle.documents() and database.restored.count_documents({}) == 1


def set_vector(vector):
    return lambda words: words.update_one({"_id": "you"}, {"$set": {"vector": vector}})


DAMAGE = {
    "a short vector": set_vector(b"short"),
    "another vector": set_vector(b"\0" * 16),
    "no vector": lambda words: words.update_one({"_id": "you"}, {"$unset": {"vector": 1}}),
    "another index": lambda words: words.update_one({"_id": "you"}, {"$inc": {"index": 1}}),
    "another word in place of one": lambda words: (
        words.delete_one({"_id": "you"}),
        words.insert_one({"_id": "zzz", "index": 1, "vector": b"\0" * 16}),
    ),
    "a document that is no word": lambda words: words.insert_one({"_id": 5}),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damage_behind_a_marker_is_repaired_in_place(database, bundle, run, capsys, damage):
    damage(database[bundle.collection])
    assert run("--verify") == 0
    assert is_whole(database, bundle)
    out = capsys.readouterr().out
    assert "comparing  100 %  10 of 10 words" in out
    assert "10 words compared and verified, 0 were repaired" not in out
    assert "`sudo toxctl activate --force`" in out


def test_words_that_are_whole_are_compared_and_left_as_they_are(
    database, bundle, run, monkeypatch, capsys
):
    def never(*arguments):
        raise AssertionError("a word that does not differ was written")

    monkeypatch.setattr(repair, "ReplaceOne", never)
    assert run("--verify") == 0
    out = capsys.readouterr().out
    assert "10 words compared and verified, 0 were repaired" in out
    assert "toxctl activate" not in out


def test_a_lost_marker_is_written_again_and_nothing_is_dropped(database, bundle, run):
    before = database.restored.find_one()
    database.restored.delete_one({})
    assert run() == 0
    assert is_whole(database, bundle)
    after = database.restored.find_one()
    assert after["restored_at"] >= before["restored_at"]
    assert {**after, "restored_at": 0} == {**before, "restored_at": 0}


@pytest.mark.parametrize("lost", [["you"], ["are", "you", "work"]])
def test_lost_words_are_added_without_a_drop(database, bundle, run, lost):
    database[bundle.collection].delete_many({"_id": {"$in": lost}})
    assert run() == 0
    assert is_whole(database, bundle)


def test_more_words_than_the_dump_has_are_removed_in_batches(database, bundle, run, monkeypatch):
    monkeypatch.setattr(repair, "_BATCH", 3)
    database[bundle.collection].insert_many({"_id": f"more {number}"} for number in range(8))
    assert run() == 0
    assert is_whole(database, bundle)


def test_one_more_word_is_removed_although_the_estimate_is_old(database, bundle, run, monkeypatch):
    database[bundle.collection].insert_one({"_id": "more"})
    monkeypatch.setattr(Collection, "estimated_document_count", lambda _: len(bundle.documents()))
    assert run("--verify") == 0
    assert is_whole(database, bundle)


def test_a_failed_repair_keeps_collection_and_marker(database, bundle, run, monkeypatch, capsys):
    def full(space):
        space._free = lambda: RESERVE_BYTES - 1
        return plain(space)

    plain = DiskSpace.check_during
    set_vector(b"short")(database[bundle.collection])
    with monkeypatch.context() as patch:
        patch.setattr(DiskSpace, "check_during", full)
        capsys.readouterr()
        assert run("--verify") == 1
        line = capsys.readouterr().err
        assert "free space with `fab prune` (the collection was kept)" in line
    assert database[bundle.collection].count_documents({}) == 10
    assert database.restored.count_documents({}) == 1
    with monkeypatch.context() as patch:
        patch.setattr(steps, "read_back", fails)
        assert run("--verify") == 1
    assert run("--verify") == 0
    assert is_whole(database, bundle)


def fails(*arguments):
    raise OperationFailure("interrupted at shutdown")


def test_a_model_that_serves_is_answered_during_the_repair(
    server, database, bundle, run, monkeypatch
):
    """The worker has seen the marker before it was lost."""
    live = EmbeddingDatabase(server.uri, 5000, bundle.load().embedding)
    words = [word for word, _, _ in bundle.rows()]
    assert len(live.find(words)) == 10
    plain, seen = steps.read_back, []

    def read_back(*arguments):
        seen.append(len(live.find(words)))
        return plain(*arguments)

    monkeypatch.setattr(steps, "read_back", read_back)
    database.restored.delete_one({})
    assert run() == 0
    assert seen == [10]
    live.close()


def test_a_damaged_vector_names_the_command_that_repairs_it(server, database, bundle, run):
    live = EmbeddingDatabase(server.uri, 5000, bundle.load().embedding)
    set_vector(b"short")(database[bundle.collection])
    words = "expected 16 bytes .*: run `fab restore-embeddings --verify`$"
    with pytest.raises(EmbeddingNotReady, match=words):
        live.find(["you"])
    assert run("--verify") == 0
    assert len(live.find(["you"])) == 1
    live.close()


def test_indices_alone_are_repaired_as_well(tmp_path, server, database, monkeypatch):
    whole = TinyBundle(database=f"{database.name}_whole", dtype="index")
    model = whole.write(tmp_path / "whole")
    options = ["--manifest", str(model / "manifest.json"), "--dump", str(model / "dump")]
    monkeypatch.undo()
    monkeypatch.setenv("TOX_COM_DET_MONGODB_URI", server.uri)
    assert main(options) == 0
    with MongoClient(server.uri) as client:
        words = client[whole.database][whole.collection]
        before = list(words.find(sort=[("_id", 1)]))
        words.update_one({"_id": "you"}, {"$inc": {"index": 1}})
        assert main([*options, "--verify"]) == 0
        assert list(words.find(sort=[("_id", 1)])) == before
