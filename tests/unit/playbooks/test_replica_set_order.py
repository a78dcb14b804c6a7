"""Members restart and are upgraded one after the other, the primary last; a failure ends the run.

Ansible runs the role's own handlers and tasks, with modules that write down who does what.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROLE = Path(__file__).resolve().parents[3] / "roles/mongodb"
# db1 is the primary. One that is BAD fails AT a step. One that is stopped does not answer.
MODULE = """#!/usr/bin/python
import os
from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule(argument_spec={one: {"type": "raw"} for one in WORDS.split()})
step = module.params["state"] or "NAME"
with open("LOG", "a+") as file:
    file.seek(0)
    own = [line.split()[1] for line in file if line.split()[0] == os.environ["MEMBER"]]
    file.write(os.environ["MEMBER"] + " " + step + "\\n")
stopped = [one for one in ["started", *own] if one in ("started", "stopped")][-1] == "stopped"
if os.environ["MEMBER"] == "BAD" and step == "AT":
    module.fail_json(msg="not " + step)
if stopped and step in ("mongodb_feature_version", "stepped_down", "ready"):
    module.fail_json(msg="it does not answer")
changed = step != "started" or stopped
module.exit_json(changed=changed, is_primary=os.environ["MEMBER"] == "db1", primary="")
"""
WORDS = "state name port user password tls tls_ca timeout enabled daemon_reload version paths"
PLAY = """
- hosts: all
  gather_facts: false
  environment: {MEMBER: "{{ inventory_hostname }}"}
  vars:
    ansible_connection: local
    ansible_python_interpreter: PYTHON
    __layout_driver_python: PYTHON
    __layout_replica_set: toxic
    __mongodb_members: [db1, db2, db3]
    __mongodb_unit: mongod.service
    __mongodb_administrator: {}
    __mongodb_only_checked: false
    __mongodb_settings: []
    __mongodb_rolling: true
    __mongodb_version: "8.0"
    __mongodb_installed_series: "7.0"
    __mongodb_next_series: "8.0"
    __mongodb_refusal: ""
    __mongodb_repository_tasks: repository.yml
    mongodb_port: 27017
    mongodb_replica_set_timeout: 1
  roles: [database]
"""
OBSERVE = """
- ansible.builtin.include_tasks: member.yml
  vars: {__mongodb_state: observed}
- ansible.builtin.set_fact:
    __mongodb_was_primary: "{{ __mongodb_member_now.is_primary }}"
"""
NOTIFY = """
- ansible.builtin.command: "true"
  changed_when: true
  notify: Restart the database
"""
# In place of the role's, which download.
REPOSITORY = "- unit: {state: repository}\n"
INSTALL = "- unit: {state: installed}\n"


def part(of: str, first: str, after: str) -> str:
    """The text of a file of the role between two lines."""
    text = (ROLE / of).read_text()
    return text[text.index(first) : text.index(after)]


def install() -> str:
    """The role's tasks until the packages are installed, and that."""
    return part("tasks/mongodb_org.yml", "# Before the repo", "- name: Install Mongo") + INSTALL


def run(
    directory: Path,
    tasks: str,
    handlers: str,
    bad: str,
    name_of_set: str = "toxic",
    at: str = "ready",
) -> tuple[int, list[list[str]]]:
    """Run tasks and handlers on three hosts; return the exit code and who did what.

    Another run in the same directory finds the units as the one before left them.
    """
    log = directory / "log"
    before = len(log.read_text().splitlines()) if log.exists() else 0
    files = {
        "roles/database/tasks/main.yml": (OBSERVE if name_of_set else "") + tasks,
        "roles/database/tasks/mongodb_org.yml": install(),
        "roles/database/tasks/repository.yml": REPOSITORY,
        "roles/database/handlers/main.yml": handlers,
        "play.yml": PLAY.replace("PYTHON", sys.executable).replace("toxic", name_of_set or '""'),
        "hosts": "[all]\ndb1\ndb2\ndb3\n",
        "ansible.cfg": "[defaults]\nlibrary = library\nany_errors_fatal = true\n",
    }
    for name in ("member", "restart_member", "upgrade", "upgrade_stop", "upgrade_member"):
        text = (ROLE / f"tasks/{name}.yml").read_text()
        files[f"roles/database/tasks/{name}.yml"] = text.replace(
            "ansible.builtin.systemd_service:", "unit:"
        )
    for name in ("mongodb_replica_set", "mongodb_feature_version", "unit", "applied"):
        text = MODULE.replace("WORDS", repr(WORDS)).replace("LOG", str(log)).replace("BAD", bad)
        text = text.replace("AT", at)
        files[f"library/{name}.py"] = text.replace("NAME", name)
    for path, text in files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text)
    done = subprocess.run(  # noqa: S603 (built here)
        [
            Path(sys.executable).with_name("ansible-playbook"),
            *("-i", directory / "hosts", directory / "play.yml"),
        ],
        cwd=directory,
        env={**os.environ, "ANSIBLE_CONFIG": str(directory / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert log.exists(), done.stdout + done.stderr
    lines = [line.split() for line in log.read_text().splitlines()[before:]]
    print(done.stdout, done.stderr)
    return done.returncode, [line for line in lines if line[1] != "observed"]


def restart(directory: Path, bad: str = "none") -> tuple[int, list[list[str]]]:
    """Run the handlers of a restart."""
    own = part(
        "handlers/main.yml", "# An include of its own for each host", "- name: Record the applied"
    )
    return run(directory, NOTIFY, own, bad)


def upgrade(directory: Path, bad: str = "none", at: str = "ready") -> tuple[int, list[list[str]]]:
    """Run the tasks of an upgrade to the next series."""
    own = part("tasks/main.yml", "# An include of its own for each host", "- name: Install Secant")
    return run(directory, own, "[]", bad, at=at)


def upgrade_alone(
    directory: Path, bad: str = "none", at: str = "ready"
) -> tuple[int, list[list[str]]]:
    """Run the same tasks on servers without a set."""
    tasks = f"{install()}- unit: {{state: started}}\n"
    return run(directory, tasks, "[]", bad, name_of_set="", at=at)


RAISED = ["mongodb_feature_version", "repository"]
STEPS = {
    restart: ["stepped_down", "restarted", "ready"],
    upgrade: [
        *("started", *RAISED, "stepped_down", "stopped", "installed"),
        *("started", "ready", "recorded"),
    ],
}


@pytest.mark.parametrize("way", STEPS)
def test_secondaries_first_and_each_is_ready_before_the_next_one(tmp_path: Path, way):
    code, done = way(tmp_path)
    assert code == 0
    steps = STEPS[way]
    assert [step for _, step in done] == steps * 3
    hosts = [host for host, _ in done]
    assert [len(set(hosts[i : i + len(steps)])) for i in range(0, len(hosts), len(steps))] == [
        1
    ] * 3
    assert hosts[-1] == "db1"
    assert set(hosts) == {"db1", "db2", "db3"}


@pytest.mark.parametrize("way", STEPS)
@pytest.mark.parametrize("bad", ["db2", "db3"])
def test_a_member_that_does_not_come_up_is_the_last_that_was_touched(tmp_path: Path, bad: str, way):
    code, done = way(tmp_path, bad)
    assert code != 0
    assert done[-1] == [bad, "ready"]
    assert "db1" not in {host for host, _ in done}


def test_servers_without_a_set_restart_as_before(tmp_path: Path):
    own = part("handlers/main.yml", "- name: Restart the database\n", "- name: Record the applied")
    own = own.replace("ansible.builtin.systemd_service:", "unit:")
    code, done = run(tmp_path, NOTIFY, own, "none", name_of_set="")
    assert code == 0
    assert sorted(done) == [[host, "restarted"] for host in ("db1", "db2", "db3")]


def test_servers_without_a_set_are_not_upgraded_as_members(tmp_path: Path):
    own = part("tasks/main.yml", "# An include of its own for each host", "- name: Install Secant")
    rolling = "- ansible.builtin.set_fact: {__mongodb_rolling: false}\n"
    installed = rolling + own + "\n- unit: {state: as_before}\n"
    code, done = run(tmp_path, installed, "[]", "none", name_of_set="")
    assert code == 0
    assert sorted(done) == [[host, "as_before"] for host in ("db1", "db2", "db3")]


@pytest.mark.parametrize("at", ["installed", "repository"])
def test_an_interrupted_upgrade_of_a_member_is_completed_by_the_next_run(tmp_path: Path, at: str):
    code, done = upgrade(tmp_path, "db2", at)
    assert code != 0
    assert done[-1] == ["db2", at]
    assert ("stopped" in steps_of("db2", done)) is (at == "installed")
    code, done = upgrade(tmp_path)
    assert code == 0
    steps = STEPS[upgrade]
    # It takes part in the set again before it is stopped anew.
    resumed = ["started", "ready", *steps[1:]] if at == "installed" else steps
    assert steps_of("db2", done) == resumed
    assert steps_of("db3", done) == steps_of("db1", done) == steps


@pytest.mark.parametrize("at", ["installed", "repository"])
def test_an_interrupted_upgrade_of_a_server_is_completed_by_the_next_run(tmp_path: Path, at: str):
    code, done = upgrade_alone(tmp_path, "db2", at)
    assert code != 0
    assert ("stopped" in steps_of("db2", done)) is (at == "installed")
    code, done = upgrade_alone(tmp_path)
    assert code == 0
    steps = ["started", *RAISED, "stopped", "installed", "started"]
    assert [steps_of(host, done) for host in ("db1", "db2", "db3")] == [steps] * 3


def steps_of(host: str, done: list[list[str]]) -> list[str]:
    return [step for one, step in done if one == host]
