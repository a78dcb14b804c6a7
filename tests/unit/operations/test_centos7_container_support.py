"""A host without cgroup v1 skips the CentOS 7 scenario with the reason.

CentOS 7's systemd 219 does not boot in a container on a host with cgroup v2 only.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_run import PROJECT, load
from rendering import managed_text

from controller.nanode import NoContainerError, __main__, centos7
from controller.nanode.engine import Engine
from controller.nanode.host import inspect_host


@pytest.fixture
def version_2_only(tmp_path):
    (tmp_path / "cgroup.controllers").touch()
    (tmp_path / "memory").mkdir()
    return inspect_host(tmp_path)


def test_a_host_with_cgroup_v2_only_is_rejected_before_a_container_hangs(version_2_only):
    with pytest.raises(NoContainerError, match="cgroup v1") as refused:
        centos7.require_cgroup_v1(version_2_only)
    assert "virtual machine" in str(refused.value)


def test_a_host_with_cgroup_v1_passes(tmp_path):
    (tmp_path / "memory").mkdir()
    centos7.require_cgroup_v1(inspect_host(tmp_path))


def test_the_check_reports_why_the_scenario_is_skipped(version_2_only, monkeypatch, capsys):
    monkeypatch.setattr(__main__, "inspect_host", lambda: version_2_only)
    monkeypatch.setattr(__main__, "find_engine", lambda host, wanted: Engine("podman"))
    assert __main__.main(["check", "--system", "centos7"]) == __main__.NO_CONTAINER
    assert "cgroup v1" in capsys.readouterr().out


@pytest.mark.parametrize("system", ["centos7", "el9"])
def test_the_scenario_reboots_the_container_and_then_verifies_it(system: str):
    directory = PROJECT / "molecule" / system
    steps = load(directory / "molecule.yml")["scenario"]["test_sequence"]
    rebooting = [
        index
        for index, step in enumerate(steps)
        for playbook in [step.removeprefix("side_effect ")]
        if (directory / playbook).is_file() and reboots(directory / playbook)
    ]
    assert rebooting
    assert rebooting[-1] < steps.index("verify")


def test_the_image_has_the_file_that_network_service_requires():
    assert "touch /etc/sysconfig/network" in centos7.CENTOS7.containerfile()
    (create,) = (
        task["ansible.builtin.copy"]
        for play in load(PROJECT / "molecule/centos7/prepare.yml")
        for task in play.get("tasks", [])
        if "ansible.builtin.copy" in task
    )
    assert create["dest"] == "/etc/sysconfig/network"
    assert create["force"] is False


def test_check_mode_may_download_metadata_of_repositories():
    text = (PROJECT / "molecule/default/check_empty.yml").read_text()
    for path in ("/var/cache/yum/*", "/var/cache/dnf/*", "/var/lib/dnf/history.sqlite*"):
        assert f"-not -path {path}" in text


def test_every_scenario_writes_the_header_that_ansible_cfg_gives():
    """Otherwise each run by the other rewrites all files, and restarts what they configure."""
    scenarios = sorted((PROJECT / "molecule").glob("*/molecule.yml"))
    given = [
        scenario["ansible"]["cfg"]["defaults"]["ansible_managed"]
        for scenario in map(load, scenarios)
        if "cfg" in scenario["ansible"]
    ]
    assert len(given) >= 2
    assert set(given) == {managed_text()}


def reboots(playbook: Path) -> bool:
    tasks = [task for play in load(playbook) for task in play.get("tasks", [])]
    return any("ansible.builtin.reboot" in task for task in tasks)
