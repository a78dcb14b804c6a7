"""The image of the local Nanode: from a registry, otherwise from Debian's packages."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from controller.nanode import NanodeError, image
from controller.nanode.engine import Engine

PODMAN = Engine("podman")


class Host:
    """Records the commands of the module; those in `failing` fail."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.failing: set[str] = set()
        self.hanging = False
        self.authorities: list[str] = []

    def run(self, command: list[str], timeout: float | None = None):
        self.commands.append(command)
        words = " ".join(command)
        if self.hanging and "pull" in command:
            raise subprocess.TimeoutExpired(command, timeout or 0)
        if "build" in command:
            self.authorities = [one.name for one in Path(command[-1], "authorities").iterdir()]
        failed = any(one in words for one in self.failing)
        return subprocess.CompletedProcess(command, int(failed), "", "no route to host\n")

    def must(self, command: list[str], failure: str) -> str:
        if self.run(command).returncode:
            raise NanodeError(failure)
        return ""

    def verbs(self) -> list[str]:
        return [one[0] if one[0] == "mmdebstrap" else one[1] for one in self.commands]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    fake = Host()
    monkeypatch.setattr(image, "run", fake.run)
    monkeypatch.setattr(image, "must", fake.must)
    (tmp_path / "own.crt").write_text("an authority\n")
    recipe = image.read_recipe("debian13", tmp_path)
    monkeypatch.setattr(image, "read_recipe", lambda system: recipe)
    monkeypatch.setattr(image.shutil, "which", lambda name: f"/usr/bin/{name}")
    return fake


def ensure(lines: list[str] | None = None) -> str:
    return image.ensure_image(PODMAN, "debian13", [].append if lines is None else lines.append)


def test_existing_image_is_used(host: Host) -> None:
    assert ensure() == image.read_recipe("debian13").tag()
    assert host.verbs() == ["image"]


def test_image_is_built_on_the_registrys_with_the_hosts_authorities(host: Host) -> None:
    host.failing = {"image inspect"}
    ensure()
    assert host.verbs() == ["image", "pull", "build"]
    assert host.authorities == ["own.crt"]


@pytest.mark.parametrize("hanging", [True, False])
def test_image_is_built_from_packages_without_a_registry(host: Host, hanging: bool) -> None:
    host.failing = {"image inspect", "pull"}
    host.hanging = hanging
    lines: list[str] = []
    ensure(lines)
    assert host.verbs() == ["image", "pull", "mmdebstrap", "import"]
    assert "--change" in host.commands[-1]
    assert "No registry answers." in lines


@pytest.mark.parametrize(
    ("failing", "message"),
    [
        ({"build"}, "building the image localhost/.* failed: no route to host: check that"),
        ({"pull", "mmdebstrap"}, "mmdebstrap failed: no route to host: check that"),
        ({"pull", "import"}, "podman cannot import the image"),
    ],
)
def test_failure_is_one_line_with_the_next_step(
    host: Host, failing: set[str], message: str
) -> None:
    host.failing = {"image inspect"} | failing
    with pytest.raises(NanodeError, match=message) as error:
        ensure()
    assert "\n" not in str(error.value)


def test_missing_mmdebstrap_is_installed_by_root_and_an_error_for_others(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.failing = {"image inspect", "pull"}
    installed: list[tuple[str, ...]] = []
    monkeypatch.setattr(image, "apt_install", installed.append)
    found = {"apt-get": "/usr/bin/apt-get"}
    monkeypatch.setattr(image.shutil, "which", found.get)
    monkeypatch.setattr(image.os, "geteuid", lambda: 0)
    ensure()
    assert installed == [("mmdebstrap",)]
    monkeypatch.setattr(image.os, "geteuid", lambda: 1000)
    with pytest.raises(NanodeError, match="run 'sudo apt-get install mmdebstrap', then rerun"):
        ensure()
