"""One host speaks for the replica set, and users are made on its primary only."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
ADMIN = {"name": "admin", "password": "p" * 12, "roles": [{"role": "root", "db": "admin"}]}
# Writes down what it was given; the answer is the set's primary.
MODULE = """#!/usr/bin/python
import json
from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule(argument_spec={one: {"type": "raw"} for one in WORDS.split()})
with open("LOG", "a") as file:
    file.write(json.dumps({"step": "NAME", **module.params}) + "\\n")
module.exit_json(changed=False, primary="PRIMARY")
"""
WORDS = "name members initiate port user password tls tls_ca timeout sync_timeout host state marker"
USERS = """
- users: {host: "{{ inventory_hostname }}"}
  vars: {ansible_python_interpreter: PYTHON}
"""
INVENTORY = """
tox_com_det:
  children:
    app: {hosts: {app1: {cluster_address: 192.0.2.11}}}
    database:
      hosts:
        db1: {cluster_address: 192.0.2.13}
        db2: {cluster_address: 192.0.2.14}
        db3: {cluster_address: 192.0.2.15}
"""
PLAY = """
- hosts: tox_com_det
  gather_facts: false
  vars:
    ansible_connection: local
    ansible_facts: {os_family: Debian}
    __layout_driver_python: PYTHON
  roles: [mongodb_access]
"""


def run(directory: Path, primary: str, *options: str, **more: Any) -> list[dict[str, Any]]:
    """Run role mongodb_access on all hosts; return what its modules were given, in their order."""
    log = directory / "log"
    log.touch()
    own = directory / "roles/mongodb_access"
    shutil.copytree(ROOT / "roles/mongodb_access", own, symlinks=True)
    (own / "meta/main.yml").write_text("dependencies: [{role: layout}]\n")
    (own / "tasks/users.yml").write_text(USERS.replace("PYTHON", sys.executable))
    (directory / "library").mkdir()
    for name in ("mongodb_replica_set", "users"):
        text = MODULE.replace("WORDS", repr(WORDS)).replace("LOG", str(log))
        text = text.replace("NAME", name).replace("PRIMARY", primary)
        (directory / f"library/{name}.py").write_text(text)
    (directory / "hosts.yml").write_text(INVENTORY)
    (directory / "play.yml").write_text(PLAY.replace("PYTHON", sys.executable))
    (directory / "ansible.cfg").write_text("[defaults]\nlibrary = library\n")
    variables = {
        "mongodb_remote_access": True,
        "mongodb_replica_set": "toxic",
        "mongodb_access_users": [ADMIN],
        **more,
    }
    (directory / "vars.json").write_text(json.dumps(variables))
    done = subprocess.run(  # noqa: S603 (built here)
        [
            Path(sys.executable).with_name("ansible-playbook"),
            *("-i", "hosts.yml", "-e", "@vars.json", *options, "play.yml"),
        ],
        cwd=directory,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
            "ANSIBLE_ROLES_PATH": f"{directory / 'roles'}:{ROOT / 'roles'}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in log.read_text().splitlines()]


@pytest.mark.parametrize(("address", "host"), [("192.0.2.13", "db1"), ("192.0.2.15", "db3")])
def test_the_set_comes_first_and_users_are_made_on_the_primary(
    tmp_path: Path, address: str, host: str
):
    members, users = run(tmp_path, f"{address}:27017")
    assert members["step"] == "mongodb_replica_set"
    assert members["name"] == "toxic"
    assert members["members"] == ["192.0.2.13:27017", "192.0.2.14:27017", "192.0.2.15:27017"]
    assert (members["initiate"], members["user"]) == (True, "admin")
    assert (users["step"], users["host"]) == ("users", host)


def test_only_the_first_host_of_the_group_may_initiate(tmp_path: Path):
    (members,) = run(tmp_path, "192.0.2.13:27017", "--limit", "db2,db3")
    assert members["initiate"] is False


def test_check_mode_asks_no_database(tmp_path: Path):
    assert run(tmp_path, "192.0.2.13:27017", "--check") == []


def test_without_a_set_users_are_made_on_the_database_host(tmp_path: Path):
    done = run(tmp_path, "", "--limit", "db1", mongodb_replica_set="")
    assert [(one["step"], one["host"]) for one in done] == [("users", "db1")]
