"""`toxctl place`: uploads reach their places whole, and nothing else does."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer

from toxctl import files

LOGIN = "root"  # a user of every machine


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def part(server: FakeServer, data: bytes, content: bytes | None = None) -> Path:
    """Upload data, or only other content under its name; where it is."""
    path = server.root / "incoming" / LOGIN / f"{sha256(data)}.part"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data if content is None else content)
    return path


def entry(path: Path, data: bytes, to: str | None) -> dict[str, Any]:
    return {"part": str(path), "sha256": sha256(data), "to": to}


def plan(server: FakeServer, data: bytes, to: str | None, *options: str) -> Any:
    file = {"sha256": sha256(data), "bytes": len(data), "to": to}
    request = {"login": LOGIN, "files": [file]}
    return server.json("place", "--plan", *options, stdin=request).result


def test_plan_of_a_first_upload_creates_the_uploaders_directory(serving: FakeServer) -> None:
    serving.model("half", complete=False)
    found = plan(serving, b"head", "models/v1/head.onnx")
    incoming = serving.root / "incoming" / LOGIN
    assert found["files"] == [
        {
            "to": "models/v1/head.onnx",
            "path": str(serving.root / "models/v1/head.onnx"),
            "placed": False,
            "part": str(incoming / f"{sha256(b'head')}.part"),
            "part_bytes": 0,
            "part_sha256": None,
        }
    ]
    assert incoming.stat().st_mode & 0o777 == 0o755
    assert found["complete"] == ["one", "1.0"]
    assert found["confirmed"] == serving.confirmed()
    assert found["free_bytes"] > 0


def test_dry_run_of_a_plan_creates_nothing(serving: FakeServer) -> None:
    found = plan(serving, b"head", "models/v1/head.onnx", "--dry-run")
    assert found["files"][0]["placed"] is False
    assert not list((serving.root / "incoming").iterdir())


def test_plan_reports_partial_uploads_and_files_in_place(serving: FakeServer) -> None:
    part(serving, b"head of v1", b"head")
    found = plan(serving, b"head of v1", None)["files"][0]
    assert (found["path"], found["placed"]) == (None, False)
    assert (found["part_bytes"], found["part_sha256"]) == (4, sha256(b"head"))
    head = (serving.models["one"].path / "head.onnx").read_bytes()
    assert plan(serving, head, "models/one/head.onnx")["files"][0]["placed"] is True
    same_size = b"x" * len(head)
    assert plan(serving, same_size, "models/one/head.onnx")["files"][0]["placed"] is False
    words = serving.run(
        "place", "--plan", stdin=f'{{"login": "{LOGIN}", "files": []}}'
    ).stdout  # for a terminal
    assert words.endswith("MB free\n")


@pytest.mark.parametrize(
    "to",
    [
        "models/v1/head.onnx",
        "dumps/words_0123/manifest.json",
        "dumps/words_0123/word_embeddings/words_0123.bson",
    ],
)
def test_upload_is_put_in_its_place(serving: FakeServer, to: str) -> None:
    source = part(serving, b"content")
    source.chmod(0o600)
    done = serving.json("place", stdin={"files": [entry(source, b"content", to)]})
    assert done.result == {"placed": 1}
    placed = serving.root / to
    assert placed.read_bytes() == b"content"
    status = placed.stat()
    assert (status.st_mode & 0o777, status.st_uid) == (0o644, os.getuid())
    assert os.listdir(placed.parent) == [placed.name]
    assert not source.exists()
    assert plan(serving, b"content", to)["files"][0]["placed"] is True


def test_placed_file_does_not_change_with_its_upload(serving: FakeServer) -> None:
    """Its uploader may keep it open for writing."""
    source = part(serving, b"content")
    with source.open("r+b") as still_open:
        to = "models/v1/head.onnx"
        serving.json("place", stdin={"files": [entry(source, b"content", to)]})
        still_open.write(b"CHANGED")
    assert (serving.root / to).read_bytes() == b"content"


def test_file_in_its_place_is_replaced_in_one_step(serving: FakeServer) -> None:
    head = serving.model("half", complete=False).path / "head.onnx"
    before = head.stat().st_ino
    (head.parent / ".placing").write_text("of a run that was killed")
    source = part(serving, b"new head")
    serving.run("place", stdin=f'{{"files": [{entry_json(source, b"new head")}]}}')
    assert head.read_bytes() == b"new head"
    assert head.stat().st_ino != before
    assert not (head.parent / ".placing").exists()


def entry_json(path: Path, data: bytes) -> str:
    return json.dumps(entry(path, data, "models/half/head.onnx"))


def test_damaged_upload_is_removed_and_not_placed(serving: FakeServer) -> None:
    source = part(serving, b"content", b"contenT")
    request = {"files": [entry(source, b"content", "models/v1/head.onnx")]}
    error = serving.json("place", stdin=request).error
    assert error["kind"] == "hash"
    assert "is damaged" in error["error"]
    assert not source.exists()
    assert not list((serving.root / "models/v1").iterdir())


def test_missing_upload_is_reported(serving: FakeServer) -> None:
    source = serving.root / "incoming" / LOGIN / "ab.part"
    request = {"files": [entry(source, b"", "models/v1/head.onnx")]}
    assert "is missing: rerun the command" in serving.json("place", stdin=request).error["error"]
    source.parent.mkdir()
    assert "is missing: rerun the command" in serving.json("place", stdin=request).error["error"]


@pytest.mark.parametrize("kind", ["link", "fifo", "directory"])
def test_upload_that_is_no_regular_file_is_refused(serving: FakeServer, kind: str) -> None:
    secret, source = serving.root / "shadow", serving.root / "incoming" / LOGIN / "ab.part"
    secret.write_text("secret")
    secret.chmod(0o600)
    source.parent.mkdir()
    if kind == "link":
        source.symlink_to(secret)
    elif kind == "fifo":
        os.mkfifo(source)
    else:
        source.mkdir()
    request = {"files": [entry(source, b"secret", "models/v1/head.onnx")]}
    error = serving.json("place", stdin=request).error
    assert error["error"] == f"{source} is not a regular file"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert not (serving.root / "models/v1").exists()
    planned = {"login": LOGIN, "files": [{"sha256": sha256(b"a"), "bytes": 1, "to": None}]}
    part(serving, b"a").unlink()
    part(serving, b"b").rename(serving.root / "b")
    (serving.root / "incoming" / LOGIN / f"{sha256(b'a')}.part").symlink_to(serving.root / "b")
    assert "not a regular file" in serving.json("place", "--plan", stdin=planned).error["error"]


def test_link_in_the_place_of_the_uploaders_directory_is_refused(serving: FakeServer) -> None:
    (serving.root / "elsewhere").mkdir()
    (serving.root / "incoming" / LOGIN).symlink_to(serving.root / "elsewhere")
    source = serving.root / "incoming" / LOGIN / "ab.part"
    source.write_bytes(b"a")
    request = {"files": [entry(source, b"a", "models/v1/head.onnx")]}
    assert "is no directory" in serving.json("place", stdin=request).error["error"]
    planned = {"login": LOGIN, "files": []}
    assert "is no directory" in serving.json("place", "--plan", stdin=planned).error["error"]


@pytest.mark.parametrize(
    "to",
    [
        None,
        "",
        1,
        "models/v1",
        "models/v1/../../etc/passwd",
        "models/../v1/head.onnx",
        "/etc/passwd",
        "models//head.onnx",
        "models/v1/.complete",
        "models/v1/a/b",
        "dumps/c/.manifest.json",
        "dumps/c/other.json",
        "dumps/../c/d/e",
        "apps/1.0/evil.py",
    ],
)
def test_no_upload_gets_to_another_place(serving: FakeServer, to: Any) -> None:
    source = part(serving, b"content")
    good = entry(source, b"content", "models/v1/head.onnx")
    request = {"files": [good, {**good, "to": to}]}
    error = serving.json("place", stdin=request).error
    assert error["kind"] == "usage"
    assert source.exists(), "a request with a wrong line changes nothing"


@pytest.mark.parametrize(
    "path",
    [
        "/etc/shadow",
        "{incoming}/ab.part",
        "{incoming}/root/../ab.part",
        "{incoming}/root/deep/ab.part",
        "{incoming}/root/",
        "{incoming}/../root/ab.part",
    ],
)
def test_nothing_but_an_upload_is_placed(serving: FakeServer, path: str) -> None:
    path = path.format(incoming=serving.root / "incoming")
    line = {"part": path, "sha256": sha256(b""), "to": "models/v1/head.onnx"}
    error = serving.json("place", stdin={"files": [line]}).error
    assert error["kind"] == "usage"
    assert "is not an upload" in error["error"]


def test_link_above_the_place_is_refused(serving: FakeServer) -> None:
    (serving.root / "models/v1").symlink_to(serving.root / "apps")
    source = part(serving, b"content")
    request = {"files": [entry(source, b"content", "models/v1/head.onnx")]}
    error = serving.json("place", stdin=request).error
    assert "is reached through a link" in error["error"]
    assert sorted(os.listdir(serving.root / "apps")) == ["1.0"]


def test_full_disk_is_noticed_before_anything_is_written(
    serving: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "free_bytes", lambda *_: 3)
    source = part(serving, b"content")
    request = {"files": [entry(source, b"content", "models/v1/head.onnx")]}
    error = serving.json("place", stdin=request).error
    assert error["kind"] == "disk"
    assert "run `fab prune`" in error["error"]
    assert source.exists()
    assert not (serving.root / "models/v1").exists()


@pytest.mark.parametrize(
    "request_",
    [
        [],
        {},
        {"files": 1},
        {"login": "../x", "files": [{"sha256": "0" * 64, "bytes": 1, "to": None}]},
        {"login": LOGIN, "files": [{"sha256": "x", "bytes": 1, "to": None}]},
    ],
    ids=str,
)
def test_request_of_another_form_is_refused(serving: FakeServer, request_: Any) -> None:
    assert serving.json("place", "--plan", stdin=request_).error["kind"] == "usage"


def test_input_that_is_not_json_is_refused(serving: FakeServer) -> None:
    done = serving.run("--json", "place", stdin="{")
    assert done.error["kind"] == "usage"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives directories to others")
def test_directory_belongs_to_the_uploader_even_if_it_was_anothers(serving: FakeServer) -> None:
    directory = serving.root / "incoming" / "nobody"
    directory.mkdir(mode=0o700)
    request = {"login": "nobody", "files": []}
    assert serving.json("place", "--plan", stdin=request).returncode == 0
    assert (directory.stat().st_mode & 0o777, directory.owner()) == (0o755, "nobody")
    request = {"login": "no_such_user", "files": []}
    assert "is no user of this server" in serving.json("place", "--plan", stdin=request).stdout
