"""A CentOS 7 Nanode: where it can boot, and from which repositories its image is built."""

from __future__ import annotations

import pytest

from controller.nanode import NoContainerError, __main__, centos7
from controller.nanode.engine import Engine
from controller.nanode.host import Host

ONE = Host(True, ("/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids"), 1 << 20, 1 << 20, True)
TWO = Host(False, (), 1 << 20, 1 << 20, True)


def test_host_without_cgroup_v1_is_refused():
    centos7.CENTOS7.require_host(ONE)
    with pytest.raises(NoContainerError, match="systemd 219 only boots on a host with cgroup v1"):
        centos7.CENTOS7.require_host(TWO)


def test_check_prints_the_reason(monkeypatch, capsys):
    monkeypatch.setattr(__main__, "inspect_host", lambda: TWO)
    monkeypatch.setattr(__main__, "find_engine", lambda host, wanted: Engine("podman"))
    assert __main__.main(["check", "--system", "centos7"]) == __main__.NO_CONTAINER
    assert "cgroup v1" in capsys.readouterr().out
    assert __main__.main(["check"]) == 0


def test_image_keeps_its_own_repositories_for_the_roles_to_fix():
    text = centos7.CENTOS7.containerfile()
    assert text.index("yum -y install") < text.index(centos7.RESTORE_REPOSITORIES)


def test_packages_come_from_the_vault_with_their_signatures_checked():
    text = centos7.CENTOS7.files[centos7.REPOSITORY_FILE]
    assert "baseurl=https://vault.centos.org/7.9.2009/os/$basearch/" in text
    assert "baseurl=https://vault.centos.org/7.9.2009/updates/$basearch/" in text
    assert text.count("gpgcheck=1") == 2
