"""The app's release: the same content gives the same name and the same bytes."""

from __future__ import annotations

import json
import os
import sys
import tarfile
from pathlib import Path

import pytest

from controller.deploy import app_release, wheels
from controller.deploy.errors import DeployError
from controller.deploy.targets import UnknownTarget, target

SYSTEM = target("debian12")


class FakePip:
    """Puts one wheel where the real one would, and counts its calls."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str]) -> None:
        self.commands.append(command)
        out = Path(command[command.index("--dest") + 1])
        (out / "flask-1-py3-none-any.whl").write_bytes(b"wheel")


@pytest.fixture
def pip() -> FakePip:
    return FakePip()


@pytest.fixture(autouse=True)
def quick_sbom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the real document, which test_sbom checks and which takes seconds to validate."""
    monkeypatch.setattr(
        app_release, "sbom", lambda lock, package, version: f"{package} {version}".encode()
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    package = tmp_path / "tox_com_det"
    (package / "sub" / "__pycache__").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "version.py").write_text('__version__ = "1.2.3"\n')
    (package / "sub" / "__init__.py").write_text("")
    (package / "sub" / "__pycache__" / "x.pyc").write_bytes(b"noise")
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "debian12.txt").write_text(f"flask==1 --hash=sha256:{'0' * 64}\n")
    return tmp_path


def build(checkout: Path, pip: FakePip, out: str = "build") -> app_release.AppRelease:
    return app_release.build(
        SYSTEM, checkout / "tox_com_det", checkout / "requirements", checkout / out, pip
    )


def content(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()


def test_second_build_reuses_the_first(checkout: Path, pip: FakePip) -> None:
    first = build(checkout, pip)
    second = build(checkout, pip)
    assert (first.changed, second.changed) == (True, False)
    assert (first.version, first.sha256) == (second.version, second.sha256)
    assert len(pip.commands) == 1


def test_same_content_gives_the_same_bytes_whatever_the_files_times(
    checkout: Path, pip: FakePip
) -> None:
    first = build(checkout, pip)
    os.utime(checkout / "tox_com_det" / "__init__.py", (1, 1))
    (checkout / "tox_com_det" / "sub" / "__init__.py").chmod(0o600)
    second = build(checkout, pip, "elsewhere")
    assert Path(first.tar).read_bytes() == Path(second.tar).read_bytes()


def test_tar_holds_package_lock_sbom_and_wheels_and_nothing_of_this_machine(
    checkout: Path, pip: FakePip
) -> None:
    release = build(checkout, pip)
    with tarfile.open(release.tar) as archive:
        members = archive.getmembers()
        about = json.loads(content(archive, "release.json"))
        bill = content(archive, "sbom.cdx.json").decode()
    assert [member.name for member in members] == [
        "release.json",
        "requirements.txt",
        "sbom.cdx.json",
        "tox_com_det",
        "tox_com_det/__init__.py",
        "tox_com_det/sub",
        "tox_com_det/sub/__init__.py",
        "tox_com_det/version.py",
        "wheels",
        "wheels/flask-1-py3-none-any.whl",
    ]
    assert {(member.uid, member.gid, member.mtime) for member in members} == {(0, 0, 0)}
    assert about == {"version": release.version, "target": "debian12", "python": "3.11"}
    assert release.version.startswith("1.2.3-")
    assert bill == f"tox_com_det {release.version}"


def test_sbom_lies_beside_the_tar_too(checkout: Path, pip: FakePip) -> None:
    release = build(checkout, pip)
    beside = Path(release.tar).with_name(f"tox_com_det-{release.version}.cdx.json")
    assert beside.read_text() == f"tox_com_det {release.version}"


def test_sbom_is_not_made_again_for_a_release_that_is_built(
    checkout: Path, pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(checkout, pip)
    monkeypatch.setattr(app_release, "sbom", lambda *_: pytest.fail("made again"))
    assert build(checkout, pip).changed is False


@pytest.mark.parametrize(
    "file", ["tox_com_det/__init__.py", "tox_com_det/sub/new.py", "requirements/debian12.txt"]
)
def test_every_change_of_what_runs_changes_the_version(
    checkout: Path, pip: FakePip, file: str
) -> None:
    first = build(checkout, pip)
    with (checkout / file).open("a") as stream:
        stream.write("# changed\n")
    assert build(checkout, pip).version != first.version


def test_damaged_tar_is_built_again(checkout: Path, pip: FakePip) -> None:
    first = build(checkout, pip)
    Path(first.tar).write_bytes(b"half")
    again = build(checkout, pip)
    assert again.changed is True
    assert again.sha256 == first.sha256


def test_failed_download_leaves_nothing_that_looks_complete(checkout: Path, pip: FakePip) -> None:
    def broken(command: list[str]) -> None:
        pip(command)
        raise DeployError("pip download failed: the package index cannot be reached")

    with pytest.raises(DeployError, match="cannot be reached"):
        app_release.build(
            SYSTEM, checkout / "tox_com_det", checkout / "requirements", checkout / "build", broken
        )
    assert not list((checkout / "build").rglob("*.whl"))
    assert build(checkout, pip).changed is True


def test_missing_lock_is_named(checkout: Path, pip: FakePip) -> None:
    (checkout / "requirements" / "debian12.txt").unlink()
    with pytest.raises(
        DeployError, match=r"no lock .*debian12.txt: see `git status`, or run `make lock`$"
    ):
        build(checkout, pip)


@pytest.mark.parametrize(
    ("stderr", "step"),
    [
        ("ERROR: no matching distribution", "check the package index that pip asks, then rerun"),
        ("NewConnectionError", "check the network, then rerun"),
    ],
)
def test_pip_that_fails_is_a_line_with_the_next_command(stderr: str, step: str) -> None:
    pip = [sys.executable, "-c", f"import sys; sys.exit({stderr!r})"]
    with pytest.raises(DeployError, match=f"pip download failed: .*: {step} the command$"):
        wheels.run_pip(pip)


def test_pip_is_asked_for_wheels_of_the_target_with_hashes_only(tmp_path: Path) -> None:
    command = wheels.pip_command(tmp_path / "lock", target("el7"), tmp_path / "out")
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    for option in ("--only-binary=:all:", "--require-hashes", "--no-deps"):
        assert option in command
    platforms = [command[place + 1] for place, word in enumerate(command) if word == "--platform"]
    assert platforms[:2] == ["manylinux_2_17_x86_64", "manylinux2014_x86_64"]
    assert "manylinux_2_28_x86_64" not in platforms


def test_wheels_of_a_changed_lock_are_fetched_again(tmp_path: Path, pip: FakePip) -> None:
    lock, out = tmp_path / "lock", tmp_path / "out"
    lock.write_text("a")
    assert wheels.download(lock, SYSTEM, out, pip).changed is True
    assert wheels.download(lock, SYSTEM, out, pip).changed is False
    lock.write_text("b")
    assert wheels.download(lock, SYSTEM, out, pip).changed is True
    (out / "flask-1-py3-none-any.whl").unlink()
    assert wheels.download(lock, SYSTEM, out, pip).changed is True


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        ("WARNING: x\nERROR: no match\nERROR: second", "no match"),
        ("retry NewConnectionError\nERROR: no match", "index cannot be reached"),
        ("", "pip printed nothing"),
    ],
)
def test_pips_reason_is_one_line(stderr: str, words: str) -> None:
    assert words in wheels.pip_reason(stderr)


def test_unknown_target_names_the_known_ones() -> None:
    with pytest.raises(UnknownTarget, match="debian12, debian13, el7, el9"):
        target("windows")


def test_command_line_fails_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert app_release.main(["--target", "windows"]) == 1
    assert wheels.main(["--lock", "/none", "--target", "el9", "--out", "/none"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 2
