"""A CentOS 7 Nanode: where it can boot, and from which image."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from controller.nanode import NoContainerError, __main__, centos7, image, instance
from controller.nanode.engine import Engine
from controller.nanode.host import Host
from controller.nanode.instance import Instance

ONE = Host(True, ("/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids"), 1 << 20, 1 << 20, True)
TWO = Host(False, (), 1 << 20, 1 << 20, True)
PODMAN = Engine("podman")
CREATED = Instance("centos7", "tox-com-det-centos7-abc123", 8080, 2222)


class Podman:
    """An engine with some images and a registry that answers or not."""

    def __init__(self, images: set[str], registry: bool) -> None:
        self.images, self.registry = images, registry
        self.commands: list[list[str]] = []
        self.repository = ""

    def __call__(self, command: list[str], timeout: float | None = None):
        self.commands.append(command[1:])
        if command[1] == "build":
            self.repository = Path(command[-1], centos7.REPOSITORY_FILE).read_text()
        good = {
            "image": command[-1] in self.images,
            "pull": self.registry,
            "build": True,
        }[command[1]]
        return subprocess.CompletedProcess(command, 0 if good else 1, "", "")


@pytest.fixture
def podman(monkeypatch):
    """A function that puts an engine in place."""

    def put(images: set[str], registry: bool) -> Podman:
        fake = Podman(images, registry)
        monkeypatch.setattr(centos7, "run", fake)
        monkeypatch.setattr(image, "run", fake)
        return fake

    monkeypatch.delenv(centos7.IMAGE_VARIABLE, raising=False)
    return put


def command_of(*capabilities: str) -> list[str]:
    return instance.run_command(
        PODMAN, ONE, CREATED, "image", Path("/checkout"), ("/a:/b:ro",), capabilities
    )


def test_host_without_cgroup_v1_is_refused():
    centos7.require_cgroup_v1(ONE)
    with pytest.raises(NoContainerError, match="systemd 219 only boots on a host with cgroup v1"):
        centos7.require_cgroup_v1(TWO)


def test_check_prints_the_reason(monkeypatch, capsys):
    monkeypatch.setattr(__main__, "inspect_host", lambda: TWO)
    monkeypatch.setattr(__main__, "find_engine", lambda host, wanted: PODMAN)
    assert __main__.main(["check", "--system", "centos7"]) == __main__.NO_CONTAINER
    assert "cgroup v1" in capsys.readouterr().out
    assert __main__.main(["check"]) == 0


@pytest.mark.parametrize("by", ["option", "environment"])
def test_requested_image_is_used_without_a_registry(monkeypatch, podman, by):
    fake = podman({"localhost/mine:7"}, registry=False)
    if by == "environment":
        monkeypatch.setenv(centos7.IMAGE_VARIABLE, "localhost/mine:7")
    requested = "localhost/mine:7" if by == "option" else None
    assert centos7.ensure_image(PODMAN, requested, print) == "localhost/mine:7"
    assert [words[0] for words in fake.commands] == ["image"]


def test_requested_image_that_is_missing_is_a_reason_to_skip(podman):
    podman(set(), registry=True)
    with pytest.raises(NoContainerError, match="no image localhost/none on this host"):
        centos7.ensure_image(PODMAN, "localhost/none", print)


def test_no_registry_and_no_image_is_a_reason_to_skip(podman):
    podman(set(), registry=False)
    with pytest.raises(NoContainerError, match=r"no registry has docker\.io/library/centos:7"):
        centos7.ensure_image(PODMAN, None, print)


def test_image_is_built_on_the_registrys(podman):
    fake = podman(set(), registry=True)
    assert centos7.ensure_image(PODMAN, None, lambda line: None) == centos7.BUILT_IMAGE
    assert [words[0] for words in fake.commands] == ["image", "pull", "build"]
    assert fake.repository == centos7.repository()


def test_image_keeps_its_own_repositories_for_the_roles_to_fix():
    text = centos7.containerfile()
    assert text.index("yum -y install") < text.index(centos7.RESTORE_REPOSITORIES)


def test_packages_come_from_the_vault_with_their_signatures_checked():
    text = centos7.repository()
    assert "baseurl=https://vault.centos.org/7.9.2009/os/$basearch/" in text
    assert "baseurl=https://vault.centos.org/7.9.2009/updates/$basearch/" in text
    assert text.count("gpgcheck=1") == 2


def test_container_has_the_volumes_and_may_create_device_nodes():
    command = command_of(*centos7.CAPABILITIES)
    assert "--volume=/a:/b:ro" in command
    assert "--cap-add=MKNOD" in command
    assert "--cap-add=MKNOD" not in command_of()


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
