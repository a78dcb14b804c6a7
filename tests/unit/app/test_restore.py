"""The restorer against a real database: done once, verified, and never half."""

import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import bson
import pytest
from pymongo import MongoClient
from tiny_bundle import TinyBundle

from tox_com_det import restore as module
from tox_com_det.database import marker_of
from tox_com_det.restore import main, mongorestore_command

MANY = tuple(f"w{number:05}" for number in range(2500))


@pytest.fixture
def bundle(stored_bundle):
    return stored_bundle


@pytest.fixture(autouse=True)
def address(server, monkeypatch):
    monkeypatch.setenv("TOX_COM_DET_MONGODB_URI", server.uri)


@pytest.fixture
def database(server, bundle):
    with MongoClient(server.uri) as client:
        yield client[bundle.database]


def run(model, *options, manifest=None):
    manifest = manifest or model / "manifest.json"
    dump = [] if "--check-only" in options else ["--dump", str(model / "dump")]
    return main(["--manifest", str(manifest), *dump, *options])


def dump_of(model, bundle):
    return model / "dump" / bundle.database / f"{bundle.collection}.bson"


def failed(capsys, code):
    """The one line on stderr of a failed run."""
    assert code == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


def nothing_is_left(database, bundle):
    return (
        bundle.collection not in database.list_collection_names()
        and database.restored.find_one({"_id": bundle.collection}) is None
    )


def test_a_dump_is_restored_verified_and_marked(model, bundle, database, capsys):
    assert run(model, "--tool", "pymongo") == 0
    assert list(database[bundle.collection].find(sort=[("_id", 1)])) == bundle.documents()
    marker = database.restored.find_one({"_id": bundle.collection})
    restored_at = marker.pop("restored_at")
    assert restored_at.year >= 2024
    assert marker == marker_of(bundle.load().embedding, bundle.rows()[-1][0])
    out = capsys.readouterr().out
    assert "restoring  100 %  10 of 10 words" in out
    assert "10 words restored and verified" in out


def test_the_same_dump_again_does_nothing(model, bundle, database, capsys):
    run(model)
    before = database.restored.find_one()
    capsys.readouterr()
    dump_of(model, bundle).unlink()
    assert run(model) == 0
    assert "already there, nothing done" in capsys.readouterr().out
    assert database.restored.find_one() == before


def test_check_only_says_whether_it_is_there_and_changes_nothing(model, bundle, database, capsys):
    assert "run `fab restore-embeddings`" in failed(capsys, run(model, "--check-only"))
    assert database.list_collection_names() == []
    run(model)
    assert run(model, "--check-only") == 0


def test_an_unfinished_collection_is_dropped_and_begun_anew(model, bundle, database):
    database[bundle.collection].insert_many(
        [{"_id": "you", "index": 9, "vector": b""}, {"_id": "left over", "index": 1}]
    )
    assert run(model) == 0
    assert database[bundle.collection].count_documents({}) == 10


def test_a_marker_without_documents_does_not_count(model, bundle, database):
    run(model)
    database.drop_collection(bundle.collection)
    assert run(model, "--check-only") == 1
    assert run(model) == 0
    assert database[bundle.collection].count_documents({}) == 10


def test_a_marker_of_another_content_is_replaced(model, bundle, database):
    database.restored.insert_one({"_id": bundle.collection, "count": 3})
    assert run(model) == 0
    assert run(model, "--check-only") == 0


def test_other_embeddings_stay_untouched(model, bundle, database):
    database.other_000000000000.insert_one({"_id": "kept"})
    database.restored.insert_one({"_id": "other_000000000000"})
    assert run(model) == 0
    assert database.other_000000000000.count_documents({}) == 1
    assert database.restored.count_documents({}) == 2


def test_several_batches_arrive_whole(tmp_path, bundle, server, monkeypatch, capsys):
    monkeypatch.setattr(module, "BATCH_BYTES", 4096)
    monkeypatch.setattr(module, "_PROGRESS_SECONDS", 0)
    many = TinyBundle(words=MANY, database=bundle.database)
    # The known answers are texts of words that this vocabulary does not have.
    monkeypatch.setattr(many, "scores", lambda words: [0.5] * 6)
    assert run(many.write(tmp_path / "many"), "--tool", "pymongo") == 0
    assert "2500 words restored and verified" in capsys.readouterr().out


def documents_of(bundle, change):
    documents = bundle.documents()
    change(documents)
    return b"".join(bson.encode(document) for document in documents)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda documents: documents.append(documents[-1]), "occurs twice"),
        (lambda documents: documents.reverse(), "out of order"),
        (lambda documents: documents.pop(), "holds 9 words, the manifest says 10"),
        (lambda documents: documents[0].update(index=77), "different builds"),
        (lambda documents: documents[3].update(vector=b"0" * 20), "20 bytes, wanted 16"),
        (lambda documents: documents[3].update(vector=["0.1"] * 4), "is list"),
        (lambda documents: documents[3].update(vector=b"\xff" * 16), "no finite number"),
        (lambda documents: documents[3].update(_id=5), "no word"),
        (lambda documents: documents[3].pop("index"), "fields"),
    ],
)
def test_a_dump_of_something_else_is_refused_before_the_database_is_touched(
    model, bundle, database, capsys, change, words
):
    dump_of(model, bundle).write_bytes(documents_of(bundle, change))
    assert words in failed(capsys, run(model))
    assert database.list_collection_names() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content[:-3], "cut off inside the document at byte"),
        (lambda content: content + b"\x01\x02", "cut off inside the document at byte"),
        (lambda content: content[:7] + b"\xff" + content[8:], "document 0"),
        (lambda content: b"\xff\xff\xff\x7f" + content[4:], "impossible length"),
        (lambda content: b"\x00" * 40, "impossible length 0 at byte 0"),
        (lambda content: b"", "holds 0 words"),
    ],
)
def test_a_damaged_dump_is_refused_with_its_place(model, bundle, database, capsys, change, words):
    dump = dump_of(model, bundle)
    dump.write_bytes(change(dump.read_bytes()))
    line = failed(capsys, run(model))
    assert words in line
    assert dump.name in line
    assert database.list_collection_names() == []


def test_a_dump_of_another_collection_says_which_there_are(model, bundle, capsys):
    dump = dump_of(model, bundle)
    dump.rename(dump.with_name("glove_0123456789ab.bson"))
    assert f"{bundle.database}.glove_0123456789ab" in failed(capsys, run(model))


def test_a_missing_or_broken_manifest_is_one_line(model, tmp_path, capsys):
    assert "No such file" in failed(capsys, run(model, manifest=tmp_path / "none.json"))
    (tmp_path / "bad.json").write_text("{}")
    assert "format_version" in failed(capsys, run(model, manifest=tmp_path / "bad.json"))


def test_a_database_that_is_away_is_one_line_without_the_password(model, monkeypatch, capsys):
    monkeypatch.setattr(module, "_CONNECT_MS", 200)
    monkeypatch.setenv("TOX_COM_DET_MONGODB_URI", "mongodb://u:secret@127.0.0.1:9/?authSource=a")
    line = failed(capsys, run(model))
    assert "127.0.0.1:9 does not answer" in line
    assert "secret" not in line


def test_what_was_changed_on_the_way_is_noticed_and_dropped(
    model, bundle, database, monkeypatch, capsys
):
    plain = module._insert

    def insert_and_damage(*arguments):
        plain(*arguments)
        database[bundle.collection].update_one({"_id": "you"}, {"$inc": {"index": 1}})

    monkeypatch.setattr(module, "_insert", insert_and_damage)
    assert "read back" in failed(capsys, run(model, "--tool", "pymongo"))
    assert nothing_is_left(database, bundle)


@pytest.mark.parametrize("step", ["_insert", "_verify"])
def test_a_run_that_is_interrupted_leaves_no_marker_also_none_of_before(
    model, bundle, database, monkeypatch, capsys, step
):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    database.restored.insert_one({"_id": bundle.collection, "count": 3})
    monkeypatch.setattr(module, step, interrupted)
    assert "the next run begins anew" in failed(capsys, run(model, "--tool", "pymongo"))
    assert database.restored.find_one({"_id": bundle.collection}) is None


def test_a_second_restore_at_the_same_time_is_refused(model, bundle, database, capsys):
    with dump_of(model, bundle).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "being restored by another process" in failed(capsys, run(model))
    assert database.list_collection_names() == []
    assert run(model) == 0


FAKE_MONGORESTORE = """#!{python}
import sys, bson
from pathlib import Path
from pymongo import MongoClient
options = dict(one[2:].split("=", 1) if "=" in one else (one[2:], "") for one in sys.argv[1:-1])
Path({log!r}).write_text("\\n".join(sys.argv[1:]))
if {code}:
    print("Failed: something")
    sys.exit({code})
database, collection = options["nsInclude"].split(".")
content = Path(sys.argv[-1], database, collection + ".bson").read_bytes()
with MongoClient(options["uri"]) as client:
    client[database][collection].insert_many(bson.decode_all(content))
"""


@pytest.fixture
def fake_mongorestore(tmp_path, monkeypatch):
    """MongoDB's tools cannot be installed everywhere; this one takes the same command line."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory), prepend=os.pathsep)

    def make(code=0):
        program, log = directory / "mongorestore", directory / "log"
        program.write_text(FAKE_MONGORESTORE.format(python=sys.executable, log=str(log), code=code))
        program.chmod(stat.S_IRWXU)
        return log

    return make


def test_mongorestore_is_taken_where_it_is(model, bundle, server, fake_mongorestore, capsys):
    log = fake_mongorestore()
    assert run(model) == 0
    assert log.read_text().splitlines() == [
        f"--uri={server.uri}",
        f"--nsInclude={bundle.database}.{bundle.collection}",
        "--drop",
        "--stopOnError",
        "--numParallelCollections=1",
        "--numInsertionWorkersPerCollection=1",
        str(model / "dump"),
    ]
    assert "restored and verified" in capsys.readouterr().out


def test_a_failed_mongorestore_leaves_nothing(model, bundle, database, fake_mongorestore, capsys):
    fake_mongorestore(code=3)
    assert "ended with code 3" in failed(capsys, run(model))
    assert nothing_is_left(database, bundle)


def test_words_beside_those_of_the_dump_are_noticed_and_dropped(
    model, bundle, database, fake_mongorestore, monkeypatch, capsys
):
    fake_mongorestore()
    plain = module._run_mongorestore

    def with_one_more(*arguments):
        plain(*arguments)
        database[bundle.collection].insert_one({"_id": "zzz", "index": 1, "vector": b""})

    monkeypatch.setattr(module, "_run_mongorestore", with_one_more)
    assert "11 words are there, the manifest says 10" in failed(capsys, run(model))
    assert nothing_is_left(database, bundle)


def test_a_word_that_got_lost_is_noticed_and_dropped(model, bundle, database, monkeypatch, capsys):
    plain = module._insert

    def insert_and_lose(*arguments):
        plain(*arguments)
        database[bundle.collection].delete_one({"_id": "you"})

    monkeypatch.setattr(module, "_insert", insert_and_lose)
    assert "'you' is not there" in failed(capsys, run(model, "--tool", "pymongo"))
    assert nothing_is_left(database, bundle)


def test_mongorestore_asked_for_but_missing_is_one_line(model, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    assert "install mongodb-database-tools" in failed(capsys, run(model, "--tool", "mongorestore"))


def test_a_password_never_reaches_the_command_line():
    uri = "mongodb://user:it's@db/?authSource=admin"
    with module._connection_option(uri) as option:
        path = Path(option.removeprefix("--config="))
        assert path.read_text() == "uri: 'mongodb://user:it''s@db/?authSource=admin'\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        command = mongorestore_command("m", Path("d"), TinyBundle().load().embedding, option)
        assert "it's" not in " ".join(command)
    assert not path.exists()


def test_the_command_is_a_module_that_can_be_run(model, server):
    command = [sys.executable, "-m", "tox_com_det.restore", "--check-only"]
    done = subprocess.run(  # noqa: S603 - this interpreter
        [*command, "--manifest", str(model / "manifest.json")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("restore: ")
    assert done.stderr.count("\n") == 1


def test_a_restore_needs_a_dump(model, capsys):
    with pytest.raises(SystemExit):
        main(["--manifest", str(model / "manifest.json")])
    assert "--dump is needed" in capsys.readouterr().err
