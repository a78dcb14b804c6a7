"""A run in which no play matches a host fails; Ansible would do nothing and report success."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_programs import run

HERE = {"ansible_connection": "local"}


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """A host beside the project's group, and one in it."""
    groups = {"others": {"hosts": {"a": HERE}}, "tox_com_det": {"hosts": {"b": HERE}}}
    path = tmp_path / "hosts.yml"
    path.write_text(json.dumps(groups), encoding="utf-8")
    return path


def test_a_run_without_any_host_is_one_line_with_the_next_command() -> None:
    done = run("ansible-playbook", "-i", "localhost,", "site.yml", "--tags", "flask_app")
    assert done.returncode == 1
    (line,) = [one for one in done.stderr.splitlines() if "so nothing was done" in one]
    assert line == (
        "no host of localhost, matches tox_com_det, so nothing was done: run `make up` for a local "
        "server, or name another inventory with --inventory"
    )


def test_a_limit_that_leaves_no_host_of_the_group_is_named(inventory: Path) -> None:
    options = ("-i", str(inventory), "--limit", "a")
    done = run("ansible-playbook", *options, "playbooks/preflight.yml")
    assert done.returncode == 1
    assert "matches tox_com_det and --limit a, so nothing was done: name another" in done.stderr
    assert f"`ansible-inventory -i{inventory} --graph` lists the hosts" in done.stderr


def test_a_play_without_a_host_beside_others_is_no_failure(inventory: Path) -> None:
    task = {"hosts": "tox_com_det", "gather_facts": False, "tasks": [{"debug": {}}]}
    playbook = inventory.with_name("play.yml")
    playbook.write_text(json.dumps([{**task, "hosts": "nobody"}, task]), encoding="utf-8")
    done = run("ansible-playbook", "-i", str(inventory), str(playbook))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no hosts matched" in done.stdout
    # No task is chosen, but a host is there: Ansible itself reports success.
    done = run("ansible-playbook", "-i", str(inventory), str(playbook), "--skip-tags", "all")
    assert done.returncode == 0
    assert "so nothing was done" not in done.stderr


def test_what_only_lists_or_checks_needs_no_host() -> None:
    for option in ("--list-hosts", "--list-tasks", "--syntax-check"):
        done = run("ansible-playbook", "-i", "localhost,", "playbooks/preflight.yml", option)
        assert done.returncode == 0, option
