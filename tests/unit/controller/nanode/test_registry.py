"""Nanodes of EL: from which image, and what is said where there is none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from controller.nanode import NanodeError, NoContainerError, __main__, image, instance, registry
from controller.nanode.arch import ARCH
from controller.nanode.centos7 import CENTOS7
from controller.nanode.el9 import EL9
from controller.nanode.engine import Engine
from controller.nanode.host import Host
from controller.nanode.instance import Instance
from controller.nanode.registry import RegistrySystem, ensure_image

ONE = Host(True, ("/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids"), 1 << 20, 1 << 20, True)
TWO = Host(False, (), 1 << 20, 1 << 20, True)
PODMAN = Engine("podman")
SYSTEMS = pytest.mark.parametrize("system", [CENTOS7, EL9, ARCH], ids=lambda system: system.name)


class Podman:
    """An engine with some images and a registry that answers or not."""

    def __init__(self, images: set[str], answers: bool, builds: bool = True) -> None:
        self.images, self.answers, self.builds = images, answers, builds
        self.commands: list[list[str]] = []
        self.context: dict[str, str] = {}

    def __call__(self, command: list[str], timeout: float | None = None):
        self.commands.append(command[1:])
        if command[1] == "build":
            files = [path for path in Path(command[-1]).iterdir() if path.is_file()]
            self.context = {path.name: path.read_text() for path in files}
        good = {
            "image": command[-1] in self.images,
            "pull": self.answers,
            "build": self.builds,
        }[command[1]]
        return subprocess.CompletedProcess(command, 0 if good else 1, "", "")


@pytest.fixture
def podman(monkeypatch):
    """A function that puts an engine in place."""

    def put(images: set[str], answers: bool, builds: bool = True) -> Podman:
        fake = Podman(images, answers, builds)
        monkeypatch.setattr(registry, "run", fake)
        monkeypatch.setattr(image, "run", fake)
        return fake

    for system in (CENTOS7, EL9, ARCH):
        monkeypatch.delenv(system.image_variable, raising=False)
    return put


def test_each_system_has_its_own_variable():
    assert CENTOS7.image_variable == "NANODE_CENTOS7_IMAGE"
    assert EL9.image_variable == "NANODE_EL9_IMAGE"


@SYSTEMS
@pytest.mark.parametrize("by", ["option", "environment"])
def test_requested_image_is_used_without_a_registry(
    monkeypatch, podman, by: str, system: RegistrySystem
):
    fake = podman({"localhost/mine:1"}, answers=False)
    if by == "environment":
        monkeypatch.setenv(system.image_variable, "localhost/mine:1")
    requested = "localhost/mine:1" if by == "option" else None
    assert ensure_image(system, PODMAN, requested, print) == "localhost/mine:1"
    assert [words[0] for words in fake.commands] == ["image"]


@SYSTEMS
def test_requested_image_that_is_missing_is_a_reason_to_skip(podman, system: RegistrySystem):
    podman(set(), answers=True)
    with pytest.raises(NoContainerError, match="no image localhost/none on this host") as refused:
        ensure_image(system, PODMAN, "localhost/none", print)
    assert f"unset {system.image_variable}" in str(refused.value)


@SYSTEMS
def test_no_registry_and_no_image_is_a_reason_to_skip(podman, system: RegistrySystem):
    podman(set(), answers=False)
    with pytest.raises(NoContainerError, match=f"no {system.title} image") as refused:
        ensure_image(system, PODMAN, None, lambda line: None)
    assert f"no registry has {system.base_image}" in str(refused.value)
    assert f"set {system.image_variable} to" in str(refused.value)


@SYSTEMS
def test_image_is_built_on_the_registrys(podman, system: RegistrySystem):
    fake = podman(set(), answers=True)
    assert ensure_image(system, PODMAN, None, lambda line: None) == system.built_image
    assert [words[0] for words in fake.commands] == ["image", "pull", "build"]
    assert fake.context == {"Containerfile": system.containerfile(), **system.files}


@SYSTEMS
def test_a_failed_build_says_what_has_to_be_reachable(podman, system: RegistrySystem):
    podman(set(), answers=True, builds=False)
    with pytest.raises(NanodeError, match=f"check that {system.source} is reachable"):
        ensure_image(system, PODMAN, None, lambda line: None)


@SYSTEMS
def test_the_image_boots_systemd_and_has_no_host_key(system: RegistrySystem):
    text = system.containerfile()
    assert text.startswith(f"FROM {system.base_image}\n")
    assert 'CMD ["/usr/sbin/init"]' in text
    assert "openssh" in text
    assert "/etc/ssh/ssh_host_*" in text


def test_el9_boots_on_every_host_that_runs_containers():
    EL9.require_host(TWO)
    assert EL9.capabilities == ()


def test_check_prints_why_scenario_el9_is_skipped(monkeypatch, podman, capsys):
    podman(set(), answers=False)
    monkeypatch.setattr(__main__, "inspect_host", lambda: TWO)
    monkeypatch.setattr(__main__, "find_engine", lambda host, wanted: PODMAN)
    assert __main__.main(["check", "--system", "el9"]) == __main__.NO_CONTAINER
    assert capsys.readouterr().out == (
        f"there is no EL9 image on this host and no registry has {EL9.base_image}\n"
    )
    podman({"localhost/mine"}, answers=False)
    monkeypatch.setenv("NANODE_EL9_IMAGE", "localhost/mine")
    assert __main__.main(["check", "--system", "el9"]) == 0


@SYSTEMS
def test_create_starts_the_systems_image_with_its_capabilities(
    monkeypatch, podman, tmp_path, system: RegistrySystem
):
    podman({"localhost/mine"}, answers=False)
    made = {}
    monkeypatch.setenv(system.image_variable, "localhost/mine")
    monkeypatch.setattr(__main__, "inspect_host", lambda: ONE)
    monkeypatch.setattr(__main__, "find_engine", lambda host, wanted: PODMAN)
    monkeypatch.setattr(
        __main__, "create", lambda engine, host, image, **more: made.update(image=image, **more)
    )
    words = ["create", "--system", system.name, "--state", str(tmp_path)]
    assert __main__.main(words) == 0
    assert made["image"] == "localhost/mine"
    assert made["system"] == system.name
    assert made["capabilities"] == system.capabilities


def test_volumes_and_image_are_options_of_the_command_line(monkeypatch, tmp_path):
    made = {}
    monkeypatch.setattr(__main__, "inspect_host", lambda: TWO)
    monkeypatch.setattr(__main__, "find_engine", lambda host, wanted: PODMAN)
    monkeypatch.setattr(
        __main__, "create", lambda engine, host, image, **more: made.update(image=image, **more)
    )
    words = ["--image", "localhost/mine", "--volume", "/a:/b", "--volume", "/c:/d:ro"]
    assert __main__.main(["create", "--state", str(tmp_path), *words]) == 0
    assert made["image"] == "localhost/mine"
    assert made["volumes"] == ("/a:/b", "/c:/d:ro")
    assert made["capabilities"] == ()


def test_container_has_the_volumes_and_may_create_device_nodes():
    created = Instance("centos7", "tox-com-det-centos7-abc123", 8080, 2222)

    def command(*capabilities: str) -> list[str]:
        return instance.run_command(
            PODMAN, ONE, created, "image", Path("/checkout"), ("/a:/b:ro",), capabilities
        )

    assert "--volume=/a:/b:ro" in command()
    assert "--cap-add=MKNOD" in command(*CENTOS7.capabilities)
    assert "--cap-add=MKNOD" not in command()
