"""Dumps for backups: what is written, restored beside what is live, and added again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bson
import pytest
from pymongo import MongoClient

from tox_com_det.store import backup, disk_space
from tox_com_det.store.digest import Digest
from tox_com_det.store.disk_space import RESERVE_BYTES

NAMES = ("backup_words", "backup_perspective")
COLLECTION = "glove_0123456789ab"
WORDS = [
    {"_id": f"word{number}", "index": number + 1, "vector": b"\0" * 8} for number in range(2500)
]


@pytest.fixture(autouse=True)
def client(server, monkeypatch: pytest.MonkeyPatch) -> Iterator[MongoClient]:
    """Databases of this test in place of the service's."""
    monkeypatch.setenv("TOX_COM_DET_MONGODB_URI", server.uri)
    monkeypatch.setattr(backup, "DATABASES", NAMES)
    monkeypatch.setattr(backup.collections, "DATABASE", NAMES[0])
    monkeypatch.setattr(backup.suggestions, "DATABASE", NAMES[1])
    with MongoClient(server.uri) as client:
        words, suggestions = (client[name] for name in NAMES)
        words[COLLECTION].insert_many(WORDS)
        words["half_ba9876543210"].insert_one({"_id": "a", "index": 1})  # without a marker
        words.restored.insert_one({"_id": COLLECTION, "count": len(WORDS)})
        suggestions.suggestions.insert_many([{"_id": one, "text": f"t{one}"} for one in range(3)])
        yield client
        for name in client.list_database_names():
            if name.startswith(NAMES):
                client.drop_database(name)


def run(capsys: pytest.CaptureFixture[str], *options: str, code: int = 0) -> dict[str, Any]:
    assert backup.main([*options, "--tool", "pymongo"]) == code
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    return json.loads(out)


def dumped(capsys: pytest.CaptureFixture[str], path: Path) -> dict[str, Any]:
    path.mkdir()
    return run(capsys, "--dump", str(path))["collections"]


def test_a_dump_has_what_is_restored_and_the_suggestions(capsys, tmp_path):
    found = dumped(capsys, tmp_path / "dump")
    counts = {name: one["count"] for name, one in found.items()}
    assert counts == {
        f"{NAMES[0]}.{COLLECTION}": 2500,
        f"{NAMES[0]}.restored": 1,
        f"{NAMES[1]}.suggestions": 3,
    }
    path = tmp_path / "dump" / NAMES[0] / f"{COLLECTION}.bson"
    assert sorted(one["index"] for one in bson.decode_all(path.read_bytes())) == [*range(1, 2501)]
    assert found[f"{NAMES[0]}.{COLLECTION}"]["bytes"] == path.stat().st_size
    metadata = json.loads(path.with_suffix(".metadata.json").read_text())
    assert [index["name"] for index in metadata["indexes"]] == ["_id_"]


@pytest.mark.parametrize("checks", [0, 1], ids=["before", "meanwhile"])
def test_a_dump_leaves_room_for_the_database(capsys, tmp_path, monkeypatch, checks):
    free = iter([RESERVE_BYTES + 1] * checks + [RESERVE_BYTES - 1] * 100)
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda _: SimpleNamespace(free=next(free)))
    monkeypatch.setattr(backup, "_BATCH_BYTES", 1000)
    answer = run(capsys, "--dump", str(tmp_path), code=1)
    assert answer["kind"] == "disk"
    assert answer["error"].endswith(
        "268 MB free, and 268 MB have to stay free for the database: free space with `fab prune`"
    )


def test_a_scratch_database_gets_the_same_and_goes_away_again(capsys, tmp_path, client):
    found = dumped(capsys, tmp_path / "dump")
    options = ("--load", str(tmp_path / "dump"), "--suffix", "_drill")
    assert run(capsys, *options)["collections"] == found
    assert client[f"{NAMES[0]}_drill"][COLLECTION].count_documents({}) == 2500
    # A second run begins anew, also after one that was killed.
    assert run(capsys, *options)["collections"] == found
    run(capsys, "--drop", "--suffix", "_drill")
    assert not [name for name in client.list_database_names() if name.endswith("_drill")]
    assert client[NAMES[0]][COLLECTION].count_documents({}) == 2500


def test_a_document_that_differs_changes_the_checksum(capsys, tmp_path, client):
    before = dumped(capsys, tmp_path / "one")
    client[NAMES[1]].suggestions.update_one({"_id": 1}, {"$set": {"text": "t9"}})
    after = dumped(capsys, tmp_path / "two")
    changed = [name for name in before if before[name] != after[name]]
    assert changed == [f"{NAMES[1]}.suggestions"]
    assert before[changed[0]]["count"] == after[changed[0]]["count"]


def test_the_checksum_does_not_depend_on_the_order_but_on_the_number():
    one, other, twice = Digest(), Digest(), Digest()
    for text in (b"a", b"b"):
        one.add(text)
    for text in (b"b", b"a"):
        other.add(text)
    for text in (b"a", b"b", b"b"):
        twice.add(text)
    assert one.content() == other.content() != twice.content()


def test_suggestions_are_added_to_those_that_are_there(capsys, tmp_path, client):
    dumped(capsys, tmp_path / "dump")
    stored = client[NAMES[1]].suggestions
    stored.delete_one({"_id": 0})
    stored.update_one({"_id": 1}, {"$set": {"text": "newer"}})
    stored.insert_one({"_id": 9, "text": "t9"})
    assert run(capsys, "--add", str(tmp_path / "dump")) == {"added": 1}
    texts = {one["_id"]: one["text"] for one in stored.find()}
    assert texts == {0: "t0", 1: "newer", 2: "t2", 9: "t9"}


def test_a_dump_that_was_cut_adds_nothing(capsys, tmp_path, client):
    dumped(capsys, tmp_path / "dump")
    path = tmp_path / "dump" / NAMES[1] / "suggestions.bson"
    path.write_bytes(path.read_bytes()[:-3])
    client[NAMES[1]].suggestions.delete_many({})
    found = run(capsys, "--add", str(tmp_path / "dump"), code=1)
    assert "cut off" in found["error"]
    assert client[NAMES[1]].suggestions.count_documents({}) == 0


def test_a_database_that_is_down_is_one_line(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("TOX_COM_DET_MONGODB_URI", "mongodb://u:secret@127.0.0.1:9")
    monkeypatch.setattr("tox_com_det.store.maintenance.CONNECT_MS", 100)
    found = run(capsys, "--dump", str(tmp_path), code=1)
    assert found["kind"] == "database"
    assert "MongoDB at 127.0.0.1:9 does not answer" in found["error"]
    assert "secret" not in found["error"]


@pytest.mark.parametrize("suffix", ["", "x", "_A", "_a/b"])
def test_a_suffix_cannot_name_a_database_that_is_in_use(suffix, capsys):
    with pytest.raises(SystemExit):
        backup.main(["--drop", "--suffix", suffix])
    assert "no suffix" in capsys.readouterr().err


def test_mongodump_is_used_where_it_is_installed(capsys, tmp_path, monkeypatch, client):
    """Its own password goes into a file; each collection is a call of its own."""
    program = tmp_path / "bin" / "mongodump"
    program.parent.mkdir()
    document = bson.encode({"_id": "a"}).hex()
    program.write_text(
        "#!/bin/sh\n"
        f'echo "$*" >> {tmp_path}/calls\n'
        'for one; do case "$one" in --db=*) d=${one#*=} ;; --collection=*) c=${one#*=} ;;'
        " --out=*) o=${one#*=} ;; esac; done\n"
        f'printf {document} | python3 -c "import sys; sys.stdout.buffer.write('
        'bytes.fromhex(sys.stdin.read()))" > "$o/$d/$c.bson"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    (tmp_path / "dump").mkdir()
    assert backup.main(["--dump", str(tmp_path / "dump"), "--tool", "mongodump"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["tool"] == str(program)
    assert {one["count"] for one in found["collections"].values()} == {1}
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [f"--collection={name}" in call for name, call in zip(
        (COLLECTION, "restored", "suggestions"), calls, strict=True)] == [True] * 3  # fmt: skip
