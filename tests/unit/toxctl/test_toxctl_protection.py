"""What a slot runs, is set to run, confirmed or previous is neither removed nor written over."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from fake_server import FakeServer
from test_toxctl_install import VERSION, make_tar
from test_toxctl_prune import NO_COLLECTIONS, age

from toxctl import config, memory
from toxctl.protection import Protection


@pytest.fixture
def used(serving: FakeServer) -> FakeServer:
    """Model `two` is live, `one` was before it."""
    serving.answers("collections", NO_COLLECTIONS)
    two = serving.model("two")
    assert serving.activate("--model", str(two.path), watch="0").returncode == 0
    return serving


def lose_mark(release: Path) -> None:
    (release / ".complete").unlink()


def snapshot(release: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in release.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("name", "why"), [("two", "it is live"), ("one", "previous release")])
def test_release_that_lost_its_mark_is_not_discarded(used: FakeServer, name: str, why: str) -> None:
    lose_mark(used.models[name].path)
    before = snapshot(used.models[name].path)
    error = used.json("discard", "--model", name).error
    assert error["kind"] == "protected"
    assert why in error["error"]
    assert snapshot(used.models[name].path) == before


def test_live_app_that_lost_its_mark_is_not_discarded(used: FakeServer) -> None:
    lose_mark(used.root / "apps/1.0")
    assert used.json("discard", "--app", "1.0").error["kind"] == "protected"
    assert (used.root / "apps/1.0/venv/bin/python").exists()


@pytest.mark.parametrize("name", ["two", "one"])
@pytest.mark.parametrize("marked", [True, False], ids=["complete", "lost-mark"])
def test_nothing_is_placed_into_a_release_in_use(used: FakeServer, name: str, marked: bool) -> None:
    if not marked:
        lose_mark(used.models[name].path)
    before = snapshot(used.models[name].path)
    data = b"new head"
    part = used.root / "incoming" / "anna" / f"{hashlib.sha256(data).hexdigest()}.part"
    part.parent.mkdir()
    part.write_bytes(data)
    request = {"part": str(part), "sha256": part.stem, "to": f"models/{name}/head.onnx"}
    error = used.json("place", stdin={"files": [request]}).error
    assert error["kind"] == ("complete" if marked else "protected")
    assert "is not written to" in error["error"]
    assert snapshot(used.models[name].path) == before
    assert part.exists()


def test_old_releases_that_lost_their_marks_are_not_pruned_while_they_are_needed(
    used: FakeServer,
) -> None:
    for release in (used.models["one"].path, used.models["two"].path, used.root / "apps/1.0"):
        lose_mark(release)
        age(release, 40)
    found = used.json("prune", "--keep", "1").result
    assert found["remove"] == []
    assert {entry["name"] for entry in found["keep"]} == {"one", "two", "1.0"}


def install_live(server: FakeServer, tmp_path: Path) -> tuple[Path, tuple[str, ...]]:
    """Install a release of the app and let it be live; its path and the words that install it."""
    tar = make_tar(tmp_path / "app.tar")
    path = Path(server.json(*tar).result["path"])
    done = server.activate("--app", str(path), watch="0")
    assert done.returncode == 0, done.stderr
    return path, tar


def test_live_app_that_lost_its_mark_is_marked_again_and_nothing_else_changes(
    serving: FakeServer, tmp_path: Path
) -> None:
    path, tar = install_live(serving, tmp_path)
    before = snapshot(path / "tox_com_det")
    lose_mark(path)
    done = serving.json(*tar)
    assert done.result == {"path": str(path), "version": VERSION, "changed": False}
    assert "had lost its mark .complete; its files are unchanged" in done.stdout
    assert (path / ".complete").exists()
    assert snapshot(path / "tox_com_det") == before
    assert not (path.parent / f"{VERSION}.2").exists()


@pytest.mark.parametrize("cause", ["no list", "changed"])
def test_live_app_without_proof_stays_and_is_installed_beside(
    serving: FakeServer, tmp_path: Path, cause: str
) -> None:
    path, tar = install_live(serving, tmp_path)
    lose_mark(path)
    if cause == "changed":
        (path / "tox_com_det/http/routes.py").write_text("changed")
    else:
        (path / ".files.json").unlink()
    before = snapshot(path)
    done = serving.json(*tar)
    assert done.result["path"] == f"{path}.2"
    assert f"{VERSION} stays as it is, because it is live" in done.stdout
    assert snapshot(path) == before
    assert serving.json(*tar).result == {
        "path": f"{path}.2", "version": VERSION, "changed": False
    }  # fmt: skip
    assert serving.activate("--app", f"{path}.2", watch="0").returncode == 0


@pytest.mark.parametrize("verb", ["verify", "activate", "prune"])
def test_every_verb_restores_a_lost_mark_that_the_files_prove(
    serving: FakeServer, tmp_path: Path, verb: str
) -> None:
    path, _ = install_live(serving, tmp_path)
    serving.answers("verify", "echo '{}'")
    serving.answers("collections", NO_COLLECTIONS)
    lose_mark(path)
    words = {"verify": ("--model", "one"), "activate": (), "prune": ()}[verb]
    assert serving.json(verb, *words).returncode == 0
    assert (path / ".complete").exists()


def test_what_a_process_runs_counts_where_its_slots_file_was_changed(
    serving: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = serving.model("other", complete=False).path
    process = tmp_path / "proc" / serving.unit("blue", "pid")
    process.mkdir(parents=True)
    process.joinpath("environ").write_bytes(
        f"PATH=/bin\0TOX_COM_DET_MODEL={other}\0SLOT_APP={serving.root}/apps/1.0\0".encode()
    )
    monkeypatch.setattr(memory, "PROC", str(tmp_path / "proc"))
    error = serving.json("discard", "--model", "other").error
    assert "because slot blue runs it" in error["error"]
    assert other.exists()


def test_nothing_is_removed_while_it_is_not_known_what_a_slot_runs(serving: FakeServer) -> None:
    half = serving.model("half", complete=False).path
    (serving.root / "slots/blue.json").write_text("{")
    error = serving.json("discard", "--model", "half").error
    assert "slot blue runs a release that" in error["error"]
    assert "run `sudo toxctl recover` on the server" in error["error"]
    assert half.exists()
    assert serving.json("recover").result == {"changed": True}
    assert serving.json("discard", "--model", "half").result == {"removed": True}


def test_nothing_is_removed_while_the_previous_release_is_not_known(used: FakeServer) -> None:
    half = used.model("half", complete=False).path
    (used.root / "state/confirmed.json").write_text("{")
    error = used.json("discard", "--model", "half").error
    assert "confirmed.json cannot be read" in error["error"]
    assert "run `sudo toxctl activate` on the server" in error["error"]
    assert half.exists()
    assert used.activate(watch="0").returncode == 0
    assert used.json("discard", "--model", "half").result == {"removed": True}


def test_damaged_manifest_of_a_live_model_drops_no_collection(used: FakeServer) -> None:
    used.answers("collections", f'echo "$@" >> {used.root}/asked\n' + NO_COLLECTIONS)
    os.unlink(used.models["two"].path / "manifest.json")
    done = used.json("prune")
    assert "manifest.json cannot be read, so no collection is dropped" in done.stdout
    assert not (used.root / "asked").exists()


def test_each_protected_release_has_its_reason(used: FakeServer) -> None:
    with used.inside():
        protection = Protection(config.load(str(used.config_path)))
    assert protection.why(str(used.models["two"].path)) == "it is live"
    assert protection.why(str(used.models["one"].path)) == "it is the previous release"
    assert protection.why(str(used.models["one"].path), damaged=True) == ""
    assert protection.why(str(used.root / "apps/1.0")) == "it is live"
    assert protection.why(str(used.root / "apps/9.9")) == ""
