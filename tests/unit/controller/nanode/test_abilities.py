"""Which ability is missing where no container can run, and how it is reported."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from controller.nanode import NanodeError, NoContainerError, __main__, abilities, engine
from controller.nanode.abilities import Abilities, missing_for
from controller.nanode.engine import Engine, find_engine, why_none
from controller.nanode.host import Host

HOST = Host(False, (), 1 << 20, 1 << 20, may_raise_limits=True)
NAMES = ("podman", "docker")
ROOT = Abilities(
    user="root",
    root=True,
    engines={"podman": None},
    local=True,
    capabilities=frozenset(abilities.CAPABILITIES),
    namespaces=None,
    user_ids=False,
    uid_mapper=True,
    cgroup_version=1,
    cgroup_writable=True,
)
USER = replace(ROOT, user="ada", root=False, user_ids=True, cgroup_version=2)


def on(monkeypatch: pytest.MonkeyPatch, *facts: Abilities) -> None:
    """Replace the facts of this host; several are those before and after an installation."""
    left = list(facts)
    monkeypatch.setattr(
        engine, "inspect_abilities", lambda names: left.pop(0) if len(left) > 1 else left[0]
    )
    monkeypatch.setattr(engine, "_can_install", lambda: False)


@pytest.mark.parametrize("facts", [ROOT, USER], ids=["root", "user"])
def test_nothing_is_missing_where_a_container_can_run(facts):
    assert missing_for("podman", facts) is None


@pytest.mark.parametrize(
    ("facts", "words", "remedy"),
    [
        (
            replace(ROOT, capabilities=frozenset({"CAP_NET_ADMIN"})),
            "root lacks CAP_SYS_ADMIN",
            "more privileges",
        ),
        (
            replace(ROOT, capabilities=frozenset({"CAP_SYS_ADMIN"})),
            "root lacks CAP_NET_ADMIN",
            "--privileged",
        ),
        (
            replace(ROOT, namespaces="unshare: unshare failed: Operation not permitted"),
            "mount namespace is not permitted (unshare: unshare failed: Operation not permitted",
            "more privileges",
        ),
        (
            replace(ROOT, cgroup_version=0, cgroup_writable=False),
            "no cgroup tree",
            "more privileges",
        ),
        (replace(ROOT, cgroup_writable=False), "/sys/fs/cgroup is not writable", "more privileges"),
        (
            replace(ROOT, engines={"podman": "no such runtime"}),
            "podman is installed but does not answer (no such runtime)",
            "podman info",
        ),
        (
            replace(USER, user_ids=False),
            "not set up for ada, who is not root: no id range in /etc/subuid",
            "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ada",
        ),
        (replace(USER, uid_mapper=False), "newuidmap is not installed", "apt-get install uidmap"),
        (
            replace(USER, namespaces="unshare: write failed"),
            "ada, who is not root, may not create a user namespace (unshare: write failed)",
            "as root",
        ),
        (replace(USER, cgroup_version=1), "cannot limit memory (cgroup v1,", "as root"),
        (replace(USER, cgroup_writable=False), "cannot limit memory (cgroup v2,", "as root"),
        (replace(USER, cgroup_version=0), "cannot limit memory (no cgroup tree,", "as root"),
    ],
)
def test_missing_ability_is_named_with_its_remedy(facts, words, remedy):
    lack = missing_for("podman", facts)
    assert lack is not None
    assert words in lack.what
    assert remedy in lack.remedy


def test_docker_depends_on_its_daemon_alone():
    bare = replace(USER, user_ids=False, capabilities=frozenset(), cgroup_version=0)
    assert missing_for("docker", replace(bare, engines={"docker": None})) is None
    lack = missing_for("docker", replace(bare, engines={"docker": "permission denied"}))
    assert lack is not None
    assert "does not answer (permission denied)" in lack.what
    assert "group 'docker'" in lack.remedy


def test_podman_with_a_virtual_machine_does_not_depend_on_this_system():
    assert missing_for("podman", replace(USER, local=False, user_ids=False)) is None


def test_docker_is_used_where_podman_lacks_an_ability(monkeypatch):
    on(monkeypatch, replace(USER, user_ids=False, engines={"podman": None, "docker": None}))
    assert find_engine(HOST) == Engine("docker")


def test_reason_names_every_installed_engine():
    facts = replace(USER, user_ids=False, engines={"podman": "x", "docker": "no daemon"})
    said = why_none(NAMES, facts).reason
    assert "/etc/subuid" in said
    assert "docker is installed but does not answer (no daemon)" in said


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (replace(USER, engines={}), "tried podman and docker), and ada is not root"),
        (
            replace(ROOT, engines={}),
            "no container engine is installed (tried podman and docker): run",
        ),
        (replace(ROOT, engines={}, capabilities=frozenset()), "root lacks CAP_SYS_ADMIN"),
    ],
    ids=["user", "root", "root of a sandbox"],
)
def test_without_an_engine_the_error_names_what_else_is_missing(monkeypatch, facts, words):
    on(monkeypatch, facts)
    with pytest.raises(NoContainerError) as failure:
        find_engine(HOST)
    assert words in str(failure.value)
    assert "'make serve'" in str(failure.value)
    assert "\n" not in str(failure.value)


def test_engine_is_installed_only_if_it_could_run(monkeypatch):
    installed = []
    on(monkeypatch, replace(ROOT, engines={}), ROOT)
    monkeypatch.setattr(engine, "_can_install", lambda: True)
    monkeypatch.setattr(engine, "_install", lambda: installed.append(True))
    assert find_engine(HOST) == Engine("podman")
    assert installed == [True]
    on(monkeypatch, replace(ROOT, engines={}, cgroup_writable=False))
    monkeypatch.setattr(engine, "_can_install", lambda: True)
    with pytest.raises(NoContainerError, match="/sys/fs/cgroup is not writable"):
        find_engine(HOST)
    assert installed == [True]


def test_failed_installation_names_make_serve(monkeypatch):
    def fail() -> None:
        raise NanodeError("'apt-get -qq update' failed: no route")

    on(monkeypatch, replace(ROOT, engines={}))
    monkeypatch.setattr(engine, "_can_install", lambda: True)
    monkeypatch.setattr(engine, "_install", fail)
    with pytest.raises(NoContainerError, match=r"apt-get -qq update.*'make serve'"):
        find_engine(HOST)


def test_check_distinguishes_no_container_from_other_errors(monkeypatch, capsys):
    on(monkeypatch, replace(USER, user_ids=False))
    assert __main__.main(["check"]) == 3
    said = capsys.readouterr()
    assert said.out == (
        "podman is not set up for ada, who is not root: no id range in /etc/subuid and "
        "/etc/subgid\n"
    )
    assert said.err == ""
    on(monkeypatch, ROOT)
    assert __main__.main(["check"]) == 0
    assert capsys.readouterr().out == "Yes, with podman.\n"
    monkeypatch.setenv("NANODE_ENGINE", "lxc")
    assert __main__.main(["check"]) == 1


def test_create_ends_with_the_missing_ability_and_writes_nothing(monkeypatch, capsys, tmp_path):
    on(monkeypatch, replace(USER, user_ids=False))
    assert __main__.main(["create", "--state", str(tmp_path / "state")]) == 3
    said = capsys.readouterr().err
    assert said.startswith("nanode: no container can run on this host: ")
    assert "'make serve'" in said
    assert not (tmp_path / "state").exists()


def test_capabilities_are_read_from_the_process(tmp_path):
    status = tmp_path / "status"
    status.write_text("Name:\tx\nCapEff:\t0000000000200000\n")
    assert abilities.has_capability(21, status)
    assert not abilities.has_capability(12, status)
    assert not abilities.has_capability(21, tmp_path / "absent")


def test_id_range_is_found_by_name_and_by_number(tmp_path):
    file = tmp_path / "subuid"
    assert not abilities.has_range(file, "ada")
    file.write_text("bob:100000:65536\n# ada\nada\n")
    assert not abilities.has_range(file, "ada")
    file.write_text("ada:100000:65536\n")
    assert abilities.has_range(file, "ada")
    file.write_text(f"{os.geteuid()}:100000:65536\n")
    assert abilities.has_range(file, "ada")


@pytest.mark.parametrize("root", [True, False])
def test_cgroup_tree_is_read_from_the_host(tmp_path, root):
    assert abilities._cgroup(tmp_path, root) == (0, False)
    (tmp_path / "memory").mkdir()
    assert abilities._cgroup(tmp_path, root) == (1, True)
    (tmp_path / "cgroup.controllers").touch()
    assert abilities._cgroup(tmp_path, root) == (2, root)
    uid = os.geteuid()
    own = tmp_path / f"user.slice/user-{uid}.slice/user@{uid}.service"
    own.mkdir(parents=True)
    (own / "cgroup.controllers").write_text("cpu pids\n")
    assert abilities._cgroup(tmp_path, root) == (2, root)
    (own / "cgroup.controllers").write_text("cpu memory pids\n")
    assert abilities._cgroup(tmp_path, root) == (2, True)


def fake_program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_probes_run_the_programs_on_the_path(monkeypatch, tmp_path):
    fake_program(
        tmp_path / "podman", "echo warning >&2; echo 'cannot set user namespace' >&2; exit 1"
    )
    fake_program(tmp_path / "docker", "exit 0")
    fake_program(tmp_path / "unshare", "echo 'unshare: Operation not permitted' >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = abilities.inspect_abilities(NAMES)
    assert found.engines == {"podman": "cannot set user namespace", "docker": None}
    assert found.namespaces == "unshare: Operation not permitted"
    assert not found.uid_mapper
    (tmp_path / "unshare").unlink()
    (tmp_path / "podman").unlink()
    found = abilities.inspect_abilities(NAMES)
    assert found.namespaces is None
    assert found.engines == {"docker": None}
