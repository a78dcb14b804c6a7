"""`toxctl status --verify`: each damaged file is named, with a command that repairs it."""

from __future__ import annotations

import errno
import getpass
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_server import FakeServer, Run
from test_toxctl_install import VERSION, make_tar
from test_toxctl_prune import NO_COLLECTIONS

from toxctl import integrity


@pytest.fixture
def recorded(serving: FakeServer, tmp_path: Path) -> FakeServer:
    """A server whose live model and live app have a list of their files."""
    integrity.mark(str(serving.models["one"].path))
    tar = make_tar(tmp_path / "app.tar", files={"tox_com_det/store/verify.py": ""})
    path = serving.json(*tar).result["path"]
    assert serving.activate("--app", path, watch="0").returncode == 0
    serving.answers("verify", "echo '{\"golden_outputs\": 2}'")
    serving.answers("collections", NO_COLLECTIONS)
    serving.models["two"] = serving.models["one"]  # the same version in another directory
    return serving


def verify(server: FakeServer) -> Run:
    return server.json("status", "--quick", "--verify")


def states(server: FakeServer) -> dict[str, str]:
    """State of each release, in the order in which they were compared."""
    last = verify(server).last
    report = last.get("result") or last["report"]
    return {one["name"]: one["state"] for one in report["verified"]}


def test_whole_releases_are_named_those_in_use_first(recorded: FakeServer) -> None:
    recorded.app("0.9")
    recorded.point_app_link(VERSION)
    assert states(recorded) == {VERSION: "whole", "one": "whole", "1.0": "unrecorded",
                                "0.9": "unrecorded"}  # fmt: skip
    done = recorded.run("status", "--quick", "--verify")
    assert done.returncode == 0
    assert "app 0.9: no hashes recorded\n" in done.stdout
    assert "model one: whole\n" in done.stdout


def change(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"#")


def remove(path: Path) -> None:
    path.unlink()


def add(path: Path) -> None:
    (path.parent / "sitecustomize.py").write_text("import evil")


def link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


@pytest.mark.parametrize(
    ("file", "harm", "words"),
    [
        ("tox_com_det/http/routes.py", change, "tox_com_det/http/routes.py differs"),
        ("tox_com_det/http/routes.py", remove, "tox_com_det/http/routes.py is missing"),
        ("tox_com_det/http/routes.py", link, "tox_com_det/http/routes.py differs"),
        ("tox_com_det/http/routes.py", add, "http/sitecustomize.py does not belong to the re"),
        ("venv/bin/python", change, "venv/bin/python differs"),
        ("requirements.txt", change, "requirements.txt differs"),
        (".files.json", change, ".files.json differs"),
        (".files.json", remove, ".files.json cannot be read (No such file or directory)"),
    ],
)
def test_damaged_app_is_named_refused_and_replaced_by_one_beside_it(
    recorded: FakeServer,
    tmp_path: Path,
    file: str,
    harm: Callable[[Path], None],
    words: str,
) -> None:
    damaged = recorded.root / "apps" / VERSION
    harm(damaged / file)
    error = verify(recorded).error
    assert error["kind"] == "damaged"
    assert words in error["error"]
    assert error["error"].endswith("run `fab deploy-app`")
    text = recorded.run("status", "--quick", "--verify")
    assert text.returncode == 1
    assert words in text.stdout
    assert words in text.stderr
    # Found once, it is shown without hashing again.
    assert f"warning: the app {VERSION} is damaged (" in recorded.run("status").stdout

    for verb in (("verify", "--model", "one"), ("activate",), ("activate", "--force")):
        refused = recorded.json(*verb).error
        assert refused["kind"] == "damaged"
        assert "run `fab deploy-app`" in refused["error"]

    plan = recorded.json(
        "place", "--plan", stdin={"login": getpass.getuser(), "files": [], "app": VERSION}
    )
    assert plan.result["app"]["path"] is None
    tar = make_tar(tmp_path / "app.tar", files={"tox_com_det/store/verify.py": ""})
    new = recorded.json(*tar).result["path"]
    assert new == f"{damaged}.2"
    assert recorded.activate("--app", new, watch="0").returncode == 0
    assert (recorded.confirmed() or {})["app"] == new
    previous = (recorded.confirmed() or {})["previous"]
    assert previous["app"].endswith("1.0"), "nothing returns to a damaged release"
    removed = recorded.json("prune", "--keep", "5").result["remove"]
    assert [(one["name"], one["kind"]) for one in removed] == [(VERSION, "app")]
    assert verify(recorded).returncode == 0
    assert recorded.live_model() == "one"


@pytest.mark.parametrize("file", ["head.onnx", "manifest.json", ".files.json"])
@pytest.mark.parametrize("harm", [change, remove])
def test_damaged_model_is_named_refused_and_replaced_by_one_beside_it(
    recorded: FakeServer, tmp_path: Path, file: str, harm: Callable[[Path], None]
) -> None:
    damaged = recorded.models["one"].path
    good = shutil.copytree(damaged, tmp_path / "good")
    harm(damaged / file)
    error = verify(recorded).error
    assert f"the model one is damaged ({file} " in error["error"]
    assert error["error"].endswith("run `fab deploy-model`")
    for verb in (("verify", "--model", "one"), ("activate",)):
        assert "run `fab deploy-model`" in recorded.json(*verb).error["error"]

    files = [{"sha256": "0" * 64, "bytes": 1, "to": "models/one/head.onnx"}]
    plan = recorded.json(
        "place", "--plan", stdin={"login": getpass.getuser(), "files": files}
    ).result
    assert list(plan["damaged"]) == ["one"]
    new = recorded.root / "models" / "two"
    new.mkdir()
    for name in ("head.onnx", "manifest.json"):
        shutil.copy(good / name, new / name)
    assert recorded.json("verify", "--model", "two", "--complete").returncode == 0
    done = recorded.activate("--model", "two", watch="0")
    assert done.returncode == 0, done.stderr
    removed = recorded.json("prune").result["remove"]
    assert [one["name"] for one in removed] == ["one"]
    assert verify(recorded).returncode == 0
    assert recorded.live_model() == "two"


def test_damage_that_was_put_right_is_forgotten(recorded: FakeServer) -> None:
    file = recorded.root / "apps" / VERSION / "requirements.txt"
    before = file.read_bytes()
    change(file)
    assert verify(recorded).returncode == 1
    file.write_bytes(before)
    assert verify(recorded).returncode == 0
    assert json.loads((recorded.root / "state/damaged.json").read_text())["releases"] == {}
    assert "reset-failed tox_com_det-verify.service" in recorded.log()
    assert "warning" not in recorded.run("status").stdout


def test_damage_that_was_put_right_is_no_reason_to_prune(recorded: FakeServer) -> None:
    old = recorded.model("old").path
    integrity.mark(str(old))
    before = (old / "head.onnx").read_bytes()
    change(old / "head.onnx")
    error = verify(recorded).error
    assert "`fab releases` lists the others, `fab prune` removes it" in error["error"]
    (old / "head.onnx").write_bytes(before)
    assert recorded.json("prune").result["remove"] == []
    change(old / "head.onnx")
    assert verify(recorded).returncode == 1
    [removed] = recorded.json("prune").result["remove"]
    assert (removed["name"], removed["why"]) == ("old", "it is damaged (head.onnx differs)")
    assert verify(recorded).returncode == 0


def test_damaged_previous_release_is_removed_and_forgotten(recorded: FakeServer) -> None:
    integrity.mark(str(recorded.root / "apps/1.0"))
    change(recorded.root / "apps/1.0/venv/bin/python")
    assert "app 1.0 is damaged" in verify(recorded).error["error"]
    assert [one["name"] for one in recorded.json("prune").result["remove"]] == ["1.0"]
    assert (recorded.confirmed() or {})["previous"] is None
    assert verify(recorded).returncode == 0


def test_lost_mark_is_restored_by_a_verification_or_reported(recorded: FakeServer) -> None:
    one = recorded.models["one"].path
    (one / ".complete").unlink()
    assert verify(recorded).returncode == 0
    assert (one / ".complete").exists()
    (one / ".complete").unlink()
    change(one / "head.onnx")
    error = verify(recorded).error
    assert "the model one is damaged (.complete is missing, head.onnx differs)" in error["error"]
    assert not (one / ".complete").exists()


def test_lost_mark_is_no_error_where_releases_can_only_be_read(
    recorded: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the unit of a backup."""
    one = recorded.models["one"].path
    (one / ".complete").unlink()

    def refuse(path: str, _: object) -> None:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(integrity.files, "write_json", refuse)
    number = errno.EROFS
    assert integrity.completed(str(one)) is True
    number = errno.ENOSPC
    with pytest.raises(OSError, match="No space left"):
        integrity.completed(str(one))


def test_incomplete_upload_is_not_damaged(recorded: FakeServer) -> None:
    recorded.model("half", complete=False)
    assert states(recorded)["half"] == "incomplete"


def test_model_of_version_0_1_is_compared_with_its_manifest(serving: FakeServer) -> None:
    assert states(serving)["one"] == "unrecorded"
    change(serving.models["one"].path / "head.onnx")
    error = verify(serving).error
    assert "the model one is damaged (head.onnx differs)" in error["error"]


def test_compiled_files_that_appear_later_are_not_reported_but_changed_ones_are(
    recorded: FakeServer,
) -> None:
    cache = recorded.root / "apps" / VERSION / "tox_com_det" / "__pycache__"
    cache.mkdir()
    (cache / "a.cpython-311.pyc").write_bytes(b"1")
    assert verify(recorded).returncode == 0
    integrity.mark(str(cache.parents[1]))
    change(cache / "a.cpython-311.pyc")
    assert "a.cpython-311.pyc differs" in verify(recorded).error["error"]


def test_links_are_compared_by_their_targets(recorded: FakeServer) -> None:
    release = recorded.root / "apps" / VERSION
    (release / "venv" / "lib64").symlink_to("lib")
    integrity.mark(str(release))
    assert verify(recorded).returncode == 0
    os.unlink(release / "venv" / "lib64")
    (release / "venv" / "lib64").symlink_to("/tmp")  # noqa: S108 (a target, not a file)
    assert "venv/lib64 differs" in verify(recorded).error["error"]


def test_failed_daily_verification_is_shown(recorded: FakeServer) -> None:
    unit = recorded.root / "fake/units/tox_com_det-verify.service"
    unit.mkdir()
    (unit / "active").write_text("failed\n")
    words = "warning: the daily verification of the releases failed: run `fab status --verify`"
    assert words in recorded.run("status").stdout


def test_a_release_in_use_that_is_missing_is_damaged_and_a_warning(recorded: FakeServer) -> None:
    """As when the disk of the models is not mounted: the service goes on from memory."""
    (recorded.root / "models").rename(recorded.root / "elsewhere")
    error = verify(recorded).error["error"]
    assert "the model one is damaged (its directory is missing): mount its disk, or" in error
    text = recorded.run("status").stdout
    assert "warning: the model one is damaged (its directory is missing): mount its disk" in text
    assert f"warning: {recorded.root}/models is missing: mount its disk" in text
    (recorded.root / "elsewhere").rename(recorded.root / "models")
    assert verify(recorded).returncode == 0
    assert "is missing" not in recorded.run("status").stdout
