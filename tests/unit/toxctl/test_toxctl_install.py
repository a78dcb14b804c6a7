"""`toxctl install`: an app is installed whole or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer

from toxctl import install

VERSION = "2.0-0123456789ab"
RELEASE = {"version": VERSION, "target": "debian12", "python": "3.11"}


def make_tar(path: Path, **more: Any) -> tuple[str, str, str, str]:
    """Write a release as controller.deploy.app_release does; the words that install it."""
    content = {
        "release.json": json.dumps({**RELEASE, **more.get("release", {})}),
        "requirements.txt": "",
        "tox_com_det/http/routes.py": "",
        "wheels/a.whl": "a",
        **more.get("files", {}),
    }
    with tarfile.open(path, "w") as archive:
        for name, text in content.items():
            if text is None:
                continue
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(text), 0o777
            archive.addfile(info, io.BytesIO(text.encode()))
        for info in more.get("members", []):
            archive.addfile(info)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return ("install", str(path), "--sha256", sha256)


def test_app_is_installed_whole_and_only_once(serving: FakeServer, tmp_path: Path) -> None:
    words = make_tar(tmp_path / "app.tar")
    path = serving.root / "apps" / VERSION
    done = serving.json(*words)
    assert done.result == {"path": str(path), "version": VERSION, "changed": True}
    assert sorted(os.listdir(path)) == [
        ".complete", ".files.json", "release.json", "requirements.txt", "tox_com_det", "venv",
    ]  # fmt: skip
    assert (path / "tox_com_det/http/routes.py").stat().st_mode & 0o777 == 0o644
    note = json.loads((path / ".complete").read_text())
    assert (note["version"], note["sha256"]) == (VERSION, words[3])
    assert serving.json(*words).result["changed"] is False
    assert f"{path} is installed already" in serving.run(*words).stdout
    assert (tmp_path / "app.tar").exists(), "a file elsewhere is not toxctl's to remove"


@pytest.mark.parametrize("login", ["", "anna/"], ids=["ansible", "upload"])
def test_uploaded_tar_is_removed_once_it_is_installed(
    serving: FakeServer, tmp_path: Path, login: str
) -> None:
    words = make_tar(tmp_path / "app.tar")
    tar = serving.root / "incoming" / f"{login}app.tar"
    tar.parent.mkdir(exist_ok=True)
    for _ in range(2):  # also if it was installed already
        shutil.copy(words[1], tar)
        assert serving.json("install", str(tar), *words[2:]).returncode == 0
        assert not tar.exists()


def test_uploaded_tar_that_is_refused_stays(serving: FakeServer, tmp_path: Path) -> None:
    words = make_tar(tmp_path / "app.tar")
    tar = serving.root / "incoming" / "app.tar"
    shutil.copy(words[1], tar)
    assert serving.json("install", str(tar), "--sha256", "0" * 64).error["kind"] == "hash"
    assert tar.exists()


@pytest.mark.parametrize(
    ("file", "module"),
    [("http/routes.py", "tox_com_det.http.routes"), ("web.py", "tox_com_det.web")],
    ids=["0.2", "0.1"],
)
def test_apps_of_both_versions_are_loaded_as_the_services_user(
    serving: FakeServer, tmp_path: Path, file: str, module: str
) -> None:
    serving.answers("import", f'echo "$2" > {tmp_path}/loaded')
    routes = None if module.endswith(".web") else ""
    files = {"tox_com_det/http/routes.py": routes, f"tox_com_det/{file}": ""}
    words = make_tar(tmp_path / "app.tar", files=files)
    assert serving.json(*words).returncode == 0
    assert (tmp_path / "loaded").read_text() == f"import {module}\n"


def test_half_installed_app_is_removed_first(serving: FakeServer, tmp_path: Path) -> None:
    left = serving.root / "apps" / VERSION / "venv" / "junk"
    left.mkdir(parents=True)
    done = serving.json(*make_tar(tmp_path / "app.tar"))
    assert done.returncode == 0
    assert f"{VERSION} was left half installed: removed" in done.stdout
    assert not left.exists()


@pytest.mark.parametrize("step", ["pip", "import"])
def test_app_that_cannot_be_installed_leaves_nothing(
    serving: FakeServer, tmp_path: Path, step: str
) -> None:
    serving.answers(step, "echo 'no such wheel' >&2; exit 1")
    error = serving.json(*make_tar(tmp_path / "app.tar")).error
    assert "no such wheel; nothing is left of it" in error["error"]
    assert not (serving.root / "apps" / VERSION).exists()


def test_full_disk_leaves_nothing(
    serving: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(install.app_tar, "unpack", no_room)
    error = serving.json(*make_tar(tmp_path / "app.tar")).error
    assert "could not be installed ([Errno 28] No space" in error["error"]
    assert not (serving.root / "apps" / VERSION).exists()
    monkeypatch.setattr(install, "free_bytes", lambda _: 5)
    error = serving.json(*make_tar(tmp_path / "app.tar")).error
    assert error["kind"] == "disk"
    assert "run `fab prune`" in error["error"]


def test_interrupted_installation_leaves_nothing(serving: FakeServer, tmp_path: Path) -> None:
    serving.answers("pip", f"touch {tmp_path}/begun; exec sleep 300")
    words = make_tar(tmp_path / "app.tar")
    with serving.start("--json", *words) as process:
        while not (tmp_path / "begun").exists():
            time.sleep(0.02)
        assert serving.json(*words).error["kind"] == "locked"
        process.send_signal(signal.SIGHUP)  # the laptop is gone: no reason to stop
        process.terminate()
        out, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    assert json.loads(out.splitlines()[-1])["kind"] == "interrupted"
    assert not (serving.root / "apps" / VERSION).exists()


def link(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, "/etc"
    return info


@pytest.mark.parametrize(
    ("more", "kind", "words"),
    [
        ({"files": {"../evil": "x"}}, "tar", "outside of the release"),
        ({"files": {"/evil": "x"}}, "tar", "outside of the release"),
        ({"files": {".complete": ""}}, "tar", "is created on the server"),
        ({"files": {"venv/bin/python": ""}}, "tar", "is created on the server"),
        ({"members": [link("tox_com_det/etc")]}, "tar", "neither a file nor"),
        ({"release": {"version": "../../etc"}}, "tar", "is not a version"),
        ({"release": {"version": 1}}, "tar", "not an object of strings"),
        ({"files": {"release.json": None}}, "tar", "release.json"),
        ({"files": {"release.json": "{"}}, "tar", "no release of the app"),
        ({"release": {"target": "el7"}}, "target", "is for el7, this server takes debian12"),
    ],
)
def test_tar_that_is_no_release_for_this_server_is_refused(
    serving: FakeServer, tmp_path: Path, more: dict[str, Any], kind: str, words: str
) -> None:
    error = serving.json(*make_tar(tmp_path / "app.tar", **more)).error
    assert error["kind"] == kind
    assert words in error["error"]
    assert os.listdir(serving.root / "apps") == ["1.0"]


def test_damaged_tar_is_refused(serving: FakeServer, tmp_path: Path) -> None:
    words = make_tar(tmp_path / "app.tar")
    assert serving.json(*words[:3], "0" * 64).error["kind"] == "hash"
    (tmp_path / "app.tar").write_bytes(b"no tar at all")
    assert serving.json(*words).error["kind"] == "tar"


@pytest.mark.parametrize("kind", ["link", "fifo", "directory", "nothing"])
def test_tar_must_be_a_regular_file(serving: FakeServer, tmp_path: Path, kind: str) -> None:
    """Its directory may belong to whoever uploaded it: root follows no link there."""
    words, path = make_tar(tmp_path / "app.tar"), tmp_path / "other.tar"
    if kind == "link":
        path.symlink_to(words[1])
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    error = serving.json("install", str(path), *words[2:]).error
    assert error["kind"] == "tar"
    assert "cannot be read" in error["error"]


def test_directories_of_the_tar_are_created_with_our_modes(
    serving: FakeServer, tmp_path: Path
) -> None:
    directory = tarfile.TarInfo("tox_com_det/empty")
    directory.type, directory.mode = tarfile.DIRTYPE, 0o777
    assert serving.json(*make_tar(tmp_path / "app.tar", members=[directory])).returncode == 0
    made = serving.root / "apps" / VERSION / "tox_com_det/empty"
    assert made.stat().st_mode & 0o777 == 0o755
