"""Restoring into a real database: once, verified, and never incomplete."""

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
from tox_com_det.store import database_tools, disk_space, maintenance, mongorestore, progress
from tox_com_det.store import restore_steps as steps
from tox_com_det.store.disk_space import DiskSpace, local_storage
from tox_com_det.store.documents import marker_of
from tox_com_det.store.restore import main

MANY = tuple(f"w{number:05}" for number in range(2500))


@pytest.fixture
def bundle(stored_bundle):
    return stored_bundle


@pytest.fixture(autouse=True)
def address(server, monkeypatch, tmp_path):
    monkeypatch.setenv("TOX_COM_DET_MONGODB_URI", server.uri)
    monkeypatch.setattr(disk_space, "SECANTUSDB_STORAGE", tmp_path / "none")


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


def is_removed(database, bundle):
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


def test_restoring_again_does_nothing(model, bundle, database, capsys):
    run(model)
    before = database.restored.find_one()
    capsys.readouterr()
    dump_of(model, bundle).unlink()
    assert run(model) == 0
    assert "already restored, nothing to do" in capsys.readouterr().out
    assert database.restored.find_one() == before


def test_check_only_reports_and_changes_nothing(model, bundle, database, capsys):
    assert "run `fab restore-embeddings`" in failed(capsys, run(model, "--check-only"))
    assert database.list_collection_names() == []
    run(model)
    assert run(model, "--check-only") == 0


def test_an_unfinished_collection_is_dropped_and_restored(model, bundle, database):
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


def test_a_marker_with_other_content_is_replaced(model, bundle, database):
    database.restored.insert_one({"_id": bundle.collection, "count": 3})
    assert run(model) == 0
    assert run(model, "--check-only") == 0


def test_other_embeddings_are_not_changed(model, bundle, database):
    database.other_000000000000.insert_one({"_id": "kept"})
    database.restored.insert_one({"_id": "other_000000000000"})
    assert run(model) == 0
    assert database.other_000000000000.count_documents({}) == 1
    assert database.restored.count_documents({}) == 2


def test_several_batches_are_restored_completely(tmp_path, bundle, server, monkeypatch, capsys):
    monkeypatch.setattr(steps, "BATCH_BYTES", 4096)
    monkeypatch.setattr(progress, "INTERVAL_SECONDS", 0)
    assert run(many_words(tmp_path, bundle), "--tool", "pymongo") == 0
    assert "2500 words restored and verified" in capsys.readouterr().out


def many_words(tmp_path, bundle):
    """A model of 2500 words, to be restored in several batches."""
    many = TinyBundle(words=MANY, database=bundle.database)
    # The golden outputs use words that this vocabulary does not have.
    many.scores = lambda words: [0.5] * 6  # type: ignore[method-assign] # a fake
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
        (lambda documents: documents.pop(), "has 9 words, the manifest says 10"),
        (lambda documents: documents[0].update(index=77), "different builds"),
        (lambda documents: documents[3].update(vector=b"0" * 20), "20 bytes, expected 16"),
        (lambda documents: documents[3].update(vector=["0.1"] * 4), "is list"),
        (lambda documents: documents[3].update(vector=b"\xff" * 16), "not finite"),
        (lambda documents: documents[3].update(_id=5), "expected a word"),
        (lambda documents: documents[3].pop("index"), "fields"),
    ],
)
def test_another_dump_is_refused_before_the_database_is_changed(
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
        (lambda content: b"", "has 0 words"),
    ],
)
def test_a_damaged_dump_is_refused_with_the_position(
    model, bundle, database, capsys, change, words
):
    dump = dump_of(model, bundle)
    dump.write_bytes(change(dump.read_bytes()))
    line = failed(capsys, run(model))
    assert words in line
    assert dump.name in line
    assert database.list_collection_names() == []


def test_a_dump_of_other_collections_names_them(model, bundle, capsys):
    dump = dump_of(model, bundle)
    dump.rename(dump.with_name("glove_0123456789ab.bson"))
    assert f"{bundle.database}.glove_0123456789ab" in failed(capsys, run(model))


def test_a_missing_or_invalid_manifest_is_one_line(model, tmp_path, capsys):
    assert "No such file" in failed(capsys, run(model, manifest=tmp_path / "none.json"))
    (tmp_path / "bad.json").write_text("{}")
    assert "format_version" in failed(capsys, run(model, manifest=tmp_path / "bad.json"))


def test_an_unreachable_database_is_one_line_without_the_password(model, monkeypatch, capsys):
    monkeypatch.setattr(maintenance, "CONNECT_MS", 200)
    monkeypatch.setenv("TOX_COM_DET_MONGODB_URI", "mongodb://u:secret@127.0.0.1:9/?authSource=a")
    line = failed(capsys, run(model))
    assert "127.0.0.1:9 does not answer" in line
    assert "secret" not in line


def test_a_row_changed_during_the_restore_is_found_and_the_collection_dropped(
    model, bundle, database, monkeypatch, capsys
):
    plain = steps.insert

    def insert_and_damage(*arguments):
        plain(*arguments)
        database[bundle.collection].update_one({"_id": "you"}, {"$inc": {"index": 1}})

    monkeypatch.setattr(steps, "insert", insert_and_damage)
    assert "read back" in failed(capsys, run(model, "--tool", "pymongo"))
    assert is_removed(database, bundle)


@pytest.mark.parametrize("step", ["insert", "read_back"])
def test_an_interrupted_run_leaves_no_marker_not_even_an_old_one(
    model, bundle, database, monkeypatch, capsys, step
):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    database.restored.insert_one({"_id": bundle.collection, "count": 3})
    monkeypatch.setattr(steps, step, interrupted)
    assert "the next run starts from the beginning" in failed(
        capsys, run(model, "--tool", "pymongo")
    )
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
    """A stand-in for mongorestore, which cannot be installed everywhere."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory), prepend=os.pathsep)

    def make(code=0):
        program, log = directory / "mongorestore", directory / "log"
        program.write_text(FAKE_MONGORESTORE.format(python=sys.executable, log=str(log), code=code))
        program.chmod(stat.S_IRWXU)
        return log

    return make


def test_mongorestore_is_used_where_it_is_installed(
    model, bundle, server, fake_mongorestore, capsys
):
    log = fake_mongorestore()
    assert run(model) == 0
    assert log.read_text().splitlines() == [
        f"--uri={server.uri}",
        f"--nsInclude={bundle.database}.{bundle.collection}",
        "--drop",
        "--stopOnError",
        '--writeConcern={"w": "majority", "j": true}',
        "--numParallelCollections=1",
        "--numInsertionWorkersPerCollection=1",
        str(model / "dump"),
    ]
    assert "restored and verified" in capsys.readouterr().out


def test_a_failed_mongorestore_leaves_no_collection(
    model, bundle, database, fake_mongorestore, capsys
):
    fake_mongorestore(code=3)
    assert "failed with exit code 3" in failed(capsys, run(model))
    assert is_removed(database, bundle)


def test_words_that_are_not_in_the_dump_are_found_and_the_collection_dropped(
    model, bundle, database, fake_mongorestore, monkeypatch, capsys
):
    fake_mongorestore()
    plain = mongorestore.run

    def with_one_more(*arguments):
        plain(*arguments)
        database[bundle.collection].insert_one({"_id": "zzz", "index": 1, "vector": b""})

    monkeypatch.setattr(mongorestore, "run", with_one_more)
    assert "has 11 words, the manifest says 10" in failed(capsys, run(model))
    assert is_removed(database, bundle)


def test_words_that_another_client_adds_during_the_restore_are_found(
    model, bundle, database, monkeypatch, capsys
):
    plain = steps.insert

    def insert_and_one_more(*arguments):
        plain(*arguments)
        database[bundle.collection].insert_one({"_id": "zzz", "index": 1, "vector": b""})

    monkeypatch.setattr(steps, "insert", insert_and_one_more)
    assert "has 11 words" in failed(capsys, run(model, "--tool", "pymongo"))
    assert is_removed(database, bundle)


def test_words_lost_or_added_later_are_repaired_by_the_next_run(model, bundle, database, capsys):
    run(model)
    for change in (
        lambda collection: collection.delete_one({"_id": "you"}),
        lambda collection: collection.insert_one({"_id": "zzz"}),
    ):
        change(database[bundle.collection])
        capsys.readouterr()
        line = failed(capsys, run(model, "--check-only"))
        assert line.endswith("words, the manifest says 10: run `fab restore-embeddings`")
        assert run(model) == 0
        assert run(model, "--check-only") == 0


def test_a_count_that_is_wrong_after_a_crash_is_taken_again(
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
    assert maintenance.count_words(real, bundle.load().embedding) == 10


def test_a_lost_word_is_found_and_the_collection_dropped(
    model, bundle, database, monkeypatch, capsys
):
    plain = steps.insert

    def insert_and_lose(*arguments):
        plain(*arguments)
        database[bundle.collection].delete_one({"_id": "you"})

    monkeypatch.setattr(steps, "insert", insert_and_lose)
    assert "'you' is missing" in failed(capsys, run(model, "--tool", "pymongo"))
    assert is_removed(database, bundle)


def test_a_missing_mongorestore_is_one_line(model, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    assert "install mongodb-database-tools" in failed(capsys, run(model, "--tool", "mongorestore"))


def test_a_password_is_never_on_the_command_line():
    uri = "mongodb://user:it's@db/?authSource=admin"
    with database_tools.connection_option(uri) as option:
        path = Path(option.removeprefix("--config="))
        assert path.read_text() == "uri: 'mongodb://user:it''s@db/?authSource=admin'\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        command = mongorestore.command("m", Path("d"), TinyBundle().load().embedding, option)
        assert "it's" not in " ".join(command)
    assert not path.exists()


def test_the_module_runs_as_a_command(model, server):
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
    assert "--dump is required" in capsys.readouterr().err


Usage = namedtuple("Usage", "total used free")


def disk(monkeypatch, *free):
    """Simulate free megabytes, one value a query, the last one repeated; the queried paths."""
    queried = []
    left = list(free)

    def usage(path):
        queried.append(Path(path))
        now = left.pop(0) if len(left) > 1 else left[0]
        return Usage(10**12, 0, now * 10**6)

    monkeypatch.setattr(disk_space.shutil, "disk_usage", usage)
    return queried


def test_a_dump_that_does_not_fit_is_refused_before_the_database_is_changed(
    model, bundle, database, monkeypatch, capsys
):
    queried = disk(monkeypatch, 200)
    line = failed(capsys, run(model))
    assert "the database's disk has 200 MB free" in line
    assert "`fab prune`" in line
    assert queried == [model / "dump"]
    assert database.list_collection_names() == []
    disk(monkeypatch, 300)
    assert run(model) == 0


def test_the_disk_of_secantusdb_is_checked_where_it_is_installed(
    model, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(disk_space, "SECANTUSDB_STORAGE", tmp_path)
    queried = disk(monkeypatch, 200)
    failed(capsys, run(model))
    assert queried == [tmp_path]


def test_a_restore_stops_before_other_programs_fill_the_disk(
    tmp_path, bundle, database, monkeypatch, capsys
):
    monkeypatch.setattr(steps, "BATCH_DOCUMENTS", 1000)
    model = many_words(tmp_path, bundle)
    disk(monkeypatch, 900, 900, 100)
    line = failed(capsys, run(model, "--tool", "pymongo"))
    assert "has only 100 MB left: free space with `fab prune`" in line
    assert "the unfinished collection was dropped" in line
    assert database.list_collection_names() == []
    disk(monkeypatch, 900)
    assert run(model, "--tool", "pymongo") == 0


class ReportingDatabase:
    """A database that replies to dbStats as MongoDB does, or refuses it."""

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
        (0, 0, 5 * 10**6),  # MongoDB, for a database without collections
        (-1, 0, 5 * 10**6),  # a user without the right
    ],
)
def test_free_space_is_the_databases_report_or_that_of_the_dumps_disk(
    tmp_path, monkeypatch, total, used, free
):
    disk(monkeypatch, 5)
    assert DiskSpace(ReportingDatabase(total, used), tmp_path)._free() == free


def test_free_space_of_another_machine_is_not_guessed():
    space = DiskSpace(ReportingDatabase(0, 0), None)
    space.check_before(10**15, 0)
    space.check_during()


@pytest.mark.parametrize(
    ("uri", "local"),
    [
        ("mongodb://127.0.0.1:27017", True),
        ("mongodb://u:p@localhost/?authSource=admin", True),
        ("mongodb://db.example.org", False),
    ],
)
def test_a_database_is_local_by_its_uri(tmp_path, uri, local):
    assert local_storage(uri, tmp_path) == (tmp_path if local else None)


@pytest.fixture
def own_server(tmp_path, monkeypatch):
    """A database process that a test may kill."""
    monkeypatch.setattr(steps, "BATCH_BYTES", 4096)
    server = DatabaseServer(tmp_path / "own-database")
    server.start()
    monkeypatch.setenv("TOX_COM_DET_MONGODB_URI", server.uri)
    yield server
    server.stop()


@pytest.mark.parametrize("step", ["insert", "read_back", "mark"])
@pytest.mark.parametrize("back", [True, False], ids=["restarted", "stays away"])
def test_a_database_killed_during_a_restore_is_one_line_and_the_next_run_works(
    tmp_path, bundle, own_server, monkeypatch, capsys, step, back
):
    model = many_words(tmp_path, bundle)
    plain = getattr(steps, step)
    # A database that comes back is waited for, however slowly it starts.
    monkeypatch.setattr(maintenance, "CONNECT_MS", 300_000 if back else 3000)
    starting = threading.Thread(target=own_server.start)

    def killed(client, *arguments):
        if step == "insert":  # between two batches
            arguments = (*arguments[:-1], KillingDiskSpace(kill))
        else:
            kill()
        return plain(client, *arguments)

    def kill():
        own_server.kill()
        if back:
            threading.Timer(0.3, starting.start).start()

    monkeypatch.setattr(steps, step, killed)
    code = run(model, "--tool", "pymongo")
    err = capsys.readouterr().err
    if not back:
        assert code == 1
        own_server.start()
    else:
        deadline = time.monotonic() + 300
        while starting.ident is None or starting.is_alive():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    with MongoClient(own_server.uri) as client:
        database = client[bundle.database]
        if code:
            assert database.restored.find_one() is None
            assert err.count("\n") == 1
            known = ("does not answer: see `systemctl", "is missing", "words, the manifest says")
            assert any(words in err for words in known)
            assert "was dropped" in err if back else "is dropped by the next run" in err
        else:  # SecantusDB loses at most the last second
            assert step != "insert"
            assert sum(name != "restored" for name in database.list_collection_names()) == 1
        monkeypatch.setattr(steps, step, plain)
        monkeypatch.setattr(maintenance, "CONNECT_MS", 300_000)
        assert run(model, "--tool", "pymongo") == 0
        assert run(model, "--check-only") == 0
        assert (
            database[Manifest.load(model / "manifest.json").embedding.collection].count_documents(
                {}
            )
            == 2500
        )


class KillingDiskSpace:
    """In place of `DiskSpace`: kills at the third batch."""

    def __init__(self, kill):
        self.calls = 0
        self.kill = kill

    def check_during(self):
        self.calls += 1
        if self.calls == 3:
            self.kill()


SLOW_MONGORESTORE = """#!{python}
import time
print("started", flush=True)
time.sleep(60)
"""


@pytest.fixture
def slow_restore(model, fake_mongorestore, tmp_path):
    """A restore process whose mongorestore does not end, and the id of that mongorestore."""
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
        assert "started\n" in running.stdout
        child = int(Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text())
        yield running, child
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def test_a_mongorestore_that_outlives_a_killed_restore_keeps_the_lock(
    model, slow_restore, monkeypatch, capsys
):
    running, child = slow_restore
    running.kill()
    running.wait(300)
    assert "restored by another process" in failed(capsys, run(model, "--tool", "pymongo"))
    os.kill(child, signal.SIGKILL)
    # Its output ends a moment before it gives the lock back.
    with next(model.glob("dump/*/*.bson")).open("rb") as dump:
        fcntl.flock(dump, fcntl.LOCK_EX)
    assert run(model, "--tool", "pymongo") == 0


def test_sigterm_ends_mongorestore_as_well(model, slow_restore):
    running, _ = slow_restore
    running.terminate()
    running.stdout.read()
    assert running.wait(300) == 1
    assert running.stderr.read() == "restore: interrupted; the next run starts from the beginning\n"
    assert run(model, "--tool", "pymongo") == 0
