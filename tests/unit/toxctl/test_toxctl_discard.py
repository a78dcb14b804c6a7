"""`toxctl discard`: only what is incomplete, a dump, or an upload is ever removed."""

from __future__ import annotations

import pytest
from fake_server import FakeServer


def test_only_incomplete_releases_are_removed(serving: FakeServer) -> None:
    half = serving.model("half", complete=False).path
    assert serving.json("discard", "--model", str(half)).result == {"removed": True}
    assert not half.exists()
    assert serving.json("discard", "--model", "half").result == {"removed": False}
    assert serving.run("discard", "--model", "half").stdout == "there was nothing to remove\n"
    error = serving.json("discard", "--model", str(serving.models["one"].path)).error
    assert error["kind"] == "complete"
    assert "`fab prune`" in error["error"]
    elsewhere = serving.json("discard", "--app", str(serving.root / "models/one"))
    assert "is not below" in elsewhere.error["error"]


def test_incomplete_app_is_removed_by_its_name(serving: FakeServer) -> None:
    path = serving.app("2.0")
    serving.point_app_link("1.0")
    (path / ".complete").unlink()
    assert serving.run("discard", "--app", "2.0").stdout == "removed\n"
    assert not path.exists()


def test_dump_is_removed(serving: FakeServer) -> None:
    dump = serving.root / "dumps" / "words_0123"
    (dump / "word_embeddings").mkdir(parents=True)
    assert serving.json("discard", "--dump", "words_0123").result == {"removed": True}
    assert not dump.exists()
    assert serving.json("discard", "--dump", "words_0123").result == {"removed": False}


@pytest.mark.parametrize("name", ["", ".", "..", "../models/one", "/etc"])
def test_nothing_but_a_dump_is_removed_as_one(serving: FakeServer, name: str) -> None:
    assert serving.json("discard", "--dump", name).error["kind"] == "usage"
    assert (serving.models["one"].path / ".complete").exists()


def test_upload_is_removed_without_following_a_link(serving: FakeServer) -> None:
    live = serving.models["one"].path / "head.onnx"
    link = serving.root / "incoming" / "anna" / "ab.part"
    assert serving.json("discard", "--part", str(link)).result == {"removed": False}
    link.parent.mkdir()
    assert serving.json("discard", "--part", str(link)).result == {"removed": False}
    link.symlink_to(live)
    assert serving.json("discard", "--part", str(link)).result == {"removed": True}
    assert not link.is_symlink()
    assert live.exists()
    assert serving.json("discard", "--part", str(live)).error["kind"] == "usage"


def test_something_to_discard_must_be_named(serving: FakeServer) -> None:
    assert serving.run("discard").returncode == 2
    assert serving.run("discard", "--model", "a", "--app", "b").returncode == 2
