"""The restorer against a real database: done once, verified, and never half."""

import contextlib
import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections import namedtuple
from pathlib import Path

import bson
import pytest
from database_server import DatabaseServer
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from tiny_bundle import TinyBundle

from tox_com_det.model.manifest import Manifest
from tox_com_det.store import collections
from tox_com_det.store import restore as module
from tox_com_det.store.database import marker_of
from tox_com_det.store.restore import main, mongorestore_command

MANY = tuple(f"w{number:05}" for number in range(2500))


@pytest.fixture
def bundle(stored_bundle):
    return stored_bundle


@pytest.fixture(autouse=True)
def address(server, monkeypatch, tmp_path):
    monkeypatch.setenv("TOX_COM_DET_MONGODB_URI", server.uri)
    monkeypatch.setattr(module, "STAND_IN_STORAGE", tmp_path / "none")


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
    assert run(many_words(tmp_path, bundle), "--tool", "pymongo") == 0
    assert "2500 words restored and verified" in capsys.readouterr().out


def many_words(tmp_path, bundle):
    """A model of 2500 words, to be restored in several batches."""
    many = TinyBundle(words=MANY, database=bundle.database)
    # The golden outputs are texts of words that this vocabulary does not have.
    many.scores = lambda words: [0.5] * 6
    return many.write(tmp_path / "many")


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
    line = failed(capsys, run(model))
    assert words in line
    assert line.endswith("again with `fab build-model`, then run `fab restore-embeddings`")
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
    monkeypatch.setattr(collections, "CONNECT_MS", 200)
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


def test_words_that_somebody_else_adds_while_pymongo_restores_are_noticed(
    model, bundle, database, monkeypatch, capsys
):
    plain = module._insert

    def insert_and_one_more(*arguments):
        plain(*arguments)
        database[bundle.collection].insert_one({"_id": "zzz", "index": 1, "vector": b""})

    monkeypatch.setattr(module, "_insert", insert_and_one_more)
    assert "11 words are there" in failed(capsys, run(model, "--tool", "pymongo"))
    assert nothing_is_left(database, bundle)


def test_words_that_were_lost_or_added_since_are_mended_by_the_next_run(
    model, bundle, database, capsys
):
    run(model)
    for change in (
        lambda collection: collection.delete_one({"_id": "you"}),
        lambda collection: collection.insert_one({"_id": "zzz"}),
    ):
        change(database[bundle.collection])
        capsys.readouterr()
        line = failed(capsys, run(model, "--check-only"))
        assert line.endswith("words are there, the manifest says 10: run `fab restore-embeddings`")
        assert run(model) == 0
        assert run(model, "--check-only") == 0


def test_a_count_that_a_crash_left_wrong_is_counted_again(
    model, bundle, database, server, monkeypatch
):
    run(model)

    class Estimated:
        def __init__(self, collection):
            self.collection = collection

        def estimated_document_count(self):
            return 7

        def __getattr__(self, name):
            return getattr(self.collection, name)

    real = {bundle.collection: Estimated(database[bundle.collection])}
    assert collections.count_words(real, bundle.load().embedding) == 10


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
    command = [sys.executable, "-m", "tox_com_det.store.restore", "--check-only"]
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


Usage = namedtuple("Usage", "total used free")


def disk(monkeypatch, *free):
    """Let the disk have so many megabytes free, each time it is asked; the last from then on."""
    asked = []
    left = list(free)

    def usage(path):
        asked.append(Path(path))
        now = left.pop(0) if len(left) > 1 else left[0]
        return Usage(10**12, 0, now * 10**6)

    monkeypatch.setattr(module.shutil, "disk_usage", usage)
    return asked


def test_a_dump_that_does_not_fit_is_refused_before_the_database_is_touched(
    model, bundle, database, monkeypatch, capsys
):
    asked = disk(monkeypatch, 200)
    line = failed(capsys, run(model))
    assert "the database's disk has 200 MB free" in line
    assert "`fab prune`" in line
    assert asked == [model / "dump"]
    assert database.list_collection_names() == []
    disk(monkeypatch, 300)
    assert run(model) == 0


def test_the_disk_of_the_stand_in_is_looked_at_where_there_is_one(
    model, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(module, "STAND_IN_STORAGE", tmp_path)
    asked = disk(monkeypatch, 200)
    failed(capsys, run(model))
    assert asked == [tmp_path]


def test_a_disk_that_others_fill_during_a_restore_is_left_before_it_is_full(
    tmp_path, bundle, database, monkeypatch, capsys
):
    monkeypatch.setattr(module, "BATCH_DOCUMENTS", 1000)
    model = many_words(tmp_path, bundle)
    disk(monkeypatch, 900, 900, 100)
    line = failed(capsys, run(model, "--tool", "pymongo"))
    assert "has only 100 MB left: make room with `fab prune`" in line
    assert "the unfinished collection was dropped" in line
    assert database.list_collection_names() == []
    disk(monkeypatch, 900)
    assert run(model, "--tool", "pymongo") == 0


class TellingDatabase:
    """A database that answers dbStats as MongoDB does, or refuses."""

    def __init__(self, total, used):
        self.stats = {"fsTotalSize": total, "fsUsedSize": used}

    def command(self, name):
        assert name == "dbStats"
        if self.stats["fsTotalSize"] < 0:
            raise OperationFailure("not authorized", 13)
        return self.stats


@pytest.mark.parametrize(
    ("total", "used", "free"),
    [
        (25e9, 24e9, 10**9),
        (0, 0, 5 * 10**6),  # MongoDB, of a database without collections
        (-1, 0, 5 * 10**6),  # a user who may not ask
    ],
)
def test_mongodb_tells_its_disk_and_the_dumps_stands_in_where_it_does_not(
    tmp_path, monkeypatch, total, used, free
):
    disk(monkeypatch, 5)
    assert module.Room(TellingDatabase(total, used), tmp_path)._free() == free


def test_a_database_on_another_machine_that_tells_nothing_is_not_guessed_at():
    room = module.Room(TellingDatabase(0, 0), None)
    room.needed(module.Dump(Path("x"), 10**15), 0)
    room.left()


@pytest.mark.parametrize(
    ("uri", "local"),
    [
        ("mongodb://127.0.0.1:27017", True),
        ("mongodb://u:p@localhost/?authSource=admin", True),
        ("mongodb://db.example.org", False),
    ],
)
def test_a_database_is_on_this_machine_by_its_address(tmp_path, uri, local):
    assert module._storage(uri, tmp_path) == (tmp_path if local else None)


@pytest.fixture
def own_server(tmp_path, monkeypatch):
    """A database that a test may kill."""
    monkeypatch.setattr(module, "BATCH_BYTES", 4096)
    server = DatabaseServer(tmp_path / "own-database")
    server.start()
    monkeypatch.setenv("TOX_COM_DET_MONGODB_URI", server.uri)
    yield server
    server.stop()


@pytest.mark.parametrize("step", ["_insert", "_verify", "_mark"])
@pytest.mark.parametrize("back", [True, False], ids=["restarted", "stays away"])
def test_a_database_killed_in_the_middle_is_one_line_and_the_next_run_works(
    tmp_path, bundle, own_server, monkeypatch, capsys, step, back
):
    model = many_words(tmp_path, bundle)
    plain = getattr(module, step)
    monkeypatch.setattr(collections, "CONNECT_MS", 5000 if back else 300)
    starting = threading.Thread(target=own_server.start)

    def killed(client, *arguments):
        if step == "_insert":  # between two batches
            arguments = (*arguments[:-1], KillingRoom(kill))
        else:
            kill()
        return plain(client, *arguments)

    def kill():
        own_server.kill()
        if back:
            threading.Timer(0.3, starting.start).start()

    monkeypatch.setattr(module, step, killed)
    code = run(model, "--tool", "pymongo")
    err = capsys.readouterr().err
    if not back:
        assert code == 1
        own_server.start()
    else:
        deadline = time.monotonic() + 20
        while starting.ident is None or starting.is_alive():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    with MongoClient(own_server.uri) as client:
        database = client[bundle.database]
        if code:
            assert database.restored.find_one() is None
            assert err.count("\n") == 1
            known = ("does not answer: see `systemctl", "is not there", "words are there")
            assert any(words in err for words in known)
            assert "was dropped" in err if back else "is dropped by the next run" in err
        else:  # SecantusDB loses what is younger than a second, or nothing at all
            assert step != "_insert"
            assert sum(name != "restored" for name in database.list_collection_names()) == 1
        monkeypatch.setattr(module, step, plain)
        assert run(model, "--tool", "pymongo") == 0
        assert run(model, "--check-only") == 0
        assert (
            database[Manifest.load(model / "manifest.json").embedding.collection].count_documents(
                {}
            )
            == 2500
        )


class KillingRoom:
    """Takes the place of `Room`: kills at the third batch."""

    def __init__(self, kill):
        self.calls = 0
        self.kill = kill

    def left(self):
        self.calls += 1
        if self.calls == 3:
            self.kill()


SLOW_MONGORESTORE = """#!{python}
import time
print("begun", flush=True)
time.sleep(60)
"""


@pytest.fixture
def slow_restore(model, fake_mongorestore, tmp_path):
    """A restore in a process of its own whose mongorestore does not end, and that one's id."""
    fake_mongorestore()
    program = tmp_path / "bin" / "mongorestore"
    program.write_text(SLOW_MONGORESTORE.format(python=sys.executable))
    command = [sys.executable, "-m", "tox_com_det.store.restore", "--dump", str(model / "dump")]
    with subprocess.Popen(  # noqa: S603 - this interpreter
        [*command, "--manifest", str(model / "manifest.json")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert "begun\n" in running.stdout
        child = int(Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text())
        yield running, child
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def test_a_mongorestore_that_outlives_a_killed_restore_keeps_the_lock(
    model, slow_restore, monkeypatch, capsys
):
    running, child = slow_restore
    running.kill()
    running.wait(10)
    assert "restored by another process" in failed(capsys, run(model, "--tool", "pymongo"))
    os.kill(child, signal.SIGKILL)
    running.stdout.read()  # until it is gone
    assert run(model, "--tool", "pymongo") == 0


def test_a_restore_that_is_ended_ends_mongorestore_as_well(model, slow_restore):
    running, _ = slow_restore
    running.terminate()
    running.stdout.read()
    assert running.wait(10) == 1
    assert running.stderr.read() == "restore: interrupted; the next run begins anew\n"
    assert run(model, "--tool", "pymongo") == 0
