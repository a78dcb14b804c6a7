"""A CentOS 7 Nanode: where it can boot, and out of which image."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from controller.nanode import NoContainerError, __main__, centos7, instance
from controller.nanode.host import Engine, Host
from controller.nanode.instance import Instance

ONE = Host(True, ("/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids"), 1 << 20, 1 << 20, True)
TWO = Host(False, (), 1 << 20, 1 << 20, True)
PODMAN = Engine("podman")
MADE = Instance("centos7", "tox-com-det-centos7-abc123", 8080, 2222)


class Podman:
    """An engine that has these images and a registry that answers or not."""

    def __init__(self, images: set[str], registry: bool) -> None:
        self.images, self.registry, self.asked = images, registry, []

    def __call__(self, command: list[str], timeout: float | None = None):
        self.asked.append(command[1:])
        good = {
            "image": command[-1] in self.images,
            "pull": self.registry,
            "build": True,
        }[command[1]]
        return subprocess.CompletedProcess(command, 0 if good else 1, "", "")


def run(*options: str) -> list[str]:
    return instance.run_command(
        PODMAN, ONE, MADE, "image", Path("/checkout"), ("/a:/b:ro",), options
    )


def test_a_host_without_cgroup_v1_cannot_boot_it():
    centos7.require_cgroup_v1(ONE)
    with pytest.raises(NoContainerError, match="systemd 219 boots only where the host has cgroup"):
        centos7.require_cgroup_v1(TWO)


def test_check_says_why_it_is_skipped(monkeypatch, capsys):
    monkeypatch.setattr(__main__, "inspect_host", lambda: TWO)
    monkeypatch.setattr(__main__, "find_engine", lambda host, wanted: PODMAN)
    assert __main__.main(["check", "--system", "centos7"]) == __main__.NO_CONTAINER
    assert "cgroup v1" in capsys.readouterr().out
    assert __main__.main(["check"]) == 0


@pytest.mark.parametrize("by", ["option", "environment"])
def test_an_image_that_is_here_is_taken_without_a_registry(monkeypatch, by):
    podman = Podman({"localhost/mine:7"}, registry=False)
    monkeypatch.setattr(centos7, "_run", podman)
    if by == "environment":
        monkeypatch.setenv(centos7.IMAGE_VARIABLE, "localhost/mine:7")
    asked = "localhost/mine:7" if by == "option" else None
    assert centos7.ensure_image(PODMAN, asked, print) == "localhost/mine:7"
    assert [words[0] for words in podman.asked] == ["image"]


def test_an_image_that_is_named_and_not_here_is_a_reason_to_skip(monkeypatch):
    monkeypatch.setattr(centos7, "_run", Podman(set(), registry=True))
    with pytest.raises(NoContainerError, match="no image localhost/none here"):
        centos7.ensure_image(PODMAN, "localhost/none", print)


def test_no_registry_and_no_image_is_a_reason_to_skip(monkeypatch):
    monkeypatch.delenv(centos7.IMAGE_VARIABLE, raising=False)
    monkeypatch.setattr(centos7, "_run", Podman(set(), registry=False))
    with pytest.raises(NoContainerError, match=r"no registry has docker\.io/library/centos:7"):
        centos7.ensure_image(PODMAN, None, print)


def test_the_registrys_image_is_built_upon(monkeypatch):
    monkeypatch.delenv(centos7.IMAGE_VARIABLE, raising=False)
    podman = Podman(set(), registry=True)
    monkeypatch.setattr(centos7, "_run", podman)
    assert centos7.ensure_image(PODMAN, None, lambda line: None) == centos7.BUILT_IMAGE
    assert [words[0] for words in podman.asked] == ["image", "pull", "build"]


def test_the_image_is_left_with_its_own_repositories_for_the_roles_to_mend():
    text = centos7.containerfile()
    assert text.index("yum -y install") < text.index(centos7.RESTORED)
    assert "baseurl=https://vault.centos.org/7.9.2009/os/$basearch/" in text
    assert "gpgcheck=1" in text


def test_its_container_sees_the_volumes_and_may_make_device_nodes():
    command = run(*centos7.CAPABILITIES)
    assert "--volume=/a:/b:ro" in command
    assert "--cap-add=MKNOD" in command
    assert "--cap-add=MKNOD" not in run()


def test_volumes_and_image_are_words_of_the_command_line(monkeypatch, tmp_path):
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
