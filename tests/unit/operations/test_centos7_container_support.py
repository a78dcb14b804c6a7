"""A host without cgroup v1 skips the CentOS 7 scenario with the reason.

CentOS 7's systemd 219 does not boot in a container on a host with cgroup v2 only.
"""

from __future__ import annotations

import pytest
from role_tasks import PROJECT

from controller.nanode import NoContainerError, __main__, centos7
from controller.nanode.host import Engine, inspect_host


@pytest.fixture
def version_2_only(tmp_path):
    (tmp_path / "cgroup.controllers").touch()
    (tmp_path / "memory").mkdir()
    return inspect_host(tmp_path)


def test_a_host_with_cgroup_v2_only_is_told_before_a_container_hangs(version_2_only):
    with pytest.raises(NoContainerError, match="cgroup v1") as refused:
        centos7.require_cgroup_v1(version_2_only)
    assert "virtual machine" in str(refused.value)


def test_a_host_with_cgroup_v1_is_let_through(tmp_path):
    (tmp_path / "memory").mkdir()
    centos7.require_cgroup_v1(inspect_host(tmp_path))


def test_the_tests_skip_the_scenario_with_the_reason(version_2_only, monkeypatch, capsys):
    monkeypatch.setattr(__main__, "inspect_host", lambda: version_2_only)
    monkeypatch.setattr(__main__, "find_engine", lambda host, wanted: Engine("podman"))
    assert __main__.main(["check", "--system", "centos7"]) == __main__.NO_CONTAINER
    assert "cgroup v1" in capsys.readouterr().out
    assert "nanode check --system centos7" in (PROJECT / "scripts/test").read_text(encoding="utf-8")


def test_the_scenario_reboots_what_it_booted():
    scenario = (PROJECT / "molecule/centos7/molecule.yml").read_text(encoding="utf-8")
    assert "side_effect ../default/reboot.yml" in scenario
