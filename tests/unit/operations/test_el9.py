"""EL9 keeps what is the distribution's: repositories, crypto policy, sshd's order of files."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from ansible_run import PROJECT, load
from rendering import VARIANTS, Variant, evaluate, variables
from role_tasks import TREE, role


def test_no_role_changes_the_crypto_policy():
    texts = [
        path
        for top in ("roles", "templates", "playbooks")
        for path in sorted((PROJECT / top).rglob("*"))
        if path.is_file() and path.suffix in (".yml", ".j2")
    ]
    assert len(texts) > 100
    named = [path for path in texts if "crypto-policies" in path.read_text(encoding="utf-8")]
    assert named == []


def test_settings_of_sshd_come_before_those_of_the_distribution():
    """The first value of an option counts, and 50-redhat.conf includes the crypto policy."""
    drop_in = PurePosixPath(str(variables(role("sshd"), "el9", VARIANTS[0])["__sshd_path"]))
    assert drop_in.parent == PurePosixPath("/etc/ssh/sshd_config.d")
    assert drop_in.name < "50-redhat.conf"


def test_only_mongodbs_repository_is_added():
    adding = {
        of.name
        for of in TREE.roles
        for one in of.tasks
        if (one.module or "").endswith("yum_repository")
    }
    assert adding == {"mongodb"}
    # CentOS 7's archive and EPEL are written by a file that EL9 does not include.
    tasks = variables(role("package_sources"), "el9", VARIANTS[0])[
        "__package_sources_repositories_tasks"
    ]
    modules = [
        one.module for one in role("package_sources").tasks if one.file.name == tasks and one.module
    ]
    assert modules == ["ansible.builtin.debug"]


@pytest.mark.parametrize("provider", ["miniconda", "system"])
def test_python_of_the_system_is_appstreams(provider: str):
    values = variables(role("python"), "el9", Variant("own", {"python_provider": provider}))
    assert values["__python_packages"] == ["python3.11", "python3.11-pip"]
    expected = "/opt/miniconda/bin/python3.11" if provider == "miniconda" else "/usr/bin/python3.11"
    assert evaluate(str(values["python_interpreter"]), values) == expected


def test_the_scenarios_stand_ins_give_way_to_other_sources():
    """Variables of group_vars would win over those of sources.yml."""
    inventory = PROJECT / "molecule/el9/inventory"
    stand_ins = load(inventory / "hosts.yml")["tox_com_det"]["vars"]
    assert stand_ins["mongodb_provider"] == "secantusdb"
    assert stand_ins["python_provider"] == "system"
    assert not set(stand_ins) & set(load(inventory / "group_vars/tox_com_det.yml"))
