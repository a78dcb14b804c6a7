"""Run tasks of a role with ansible-playbook on this machine, without a server."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from role_tree import PROJECT, PlainLoader

PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")


def run_tasks(
    directory: Path, role: str, tasks_from: str, variables: Mapping[str, object], *options: str
) -> tuple[int, int, str]:
    """Return the exit status, how many tasks changed something, and the output.

    The role's dependencies, other than names and paths, do not run.
    """
    directory.mkdir(parents=True, exist_ok=True)
    own = directory / "roles" / role
    shutil.copytree(PROJECT / "roles" / role, own, dirs_exist_ok=True)
    meta = {"dependencies": [] if role == "layout" else [{"role": "layout"}]}
    (own / "meta/main.yml").write_text(yaml.safe_dump(meta), encoding="utf-8")
    include = {"name": role, "tasks_from": tasks_from}
    play = {
        "name": "Run a part of a role",
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "tasks": [{"name": "Run", "ansible.builtin.include_role": include}],
    }
    (directory / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    (directory / "ansible.cfg").write_text("[defaults]\n", encoding="utf-8")
    (directory / "vars.json").write_text(json.dumps(variables), encoding="utf-8")
    done = subprocess.run(  # noqa: S603 (words of the tests, no shell)
        [PLAYBOOK, "--inventory", "localhost,", "--extra-vars", "@vars.json", *options, "play.yml"],
        cwd=directory,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
            "ANSIBLE_ACTION_PLUGINS": str(PROJECT / "plugins/action"),
            "ANSIBLE_LIBRARY": str(PROJECT / "plugins/modules"),
            "ANSIBLE_MODULE_UTILS": str(PROJECT / "plugins/module_utils"),
            "ANSIBLE_LOCAL_TEMP": str(directory / "tmp"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PYTHON_INTERPRETER": shlex.quote(sys.executable),
            "ANSIBLE_ROLES_PATH": f"{own.parent}:{PROJECT / 'roles'}",
            "ANSIBLE_STDOUT_CALLBACK": "json",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        changed = json.loads(done.stdout)["stats"]["localhost"]["changed"]
    except (KeyError, ValueError):
        changed = -1
    return done.returncode, changed, done.stdout + done.stderr


def load(path: Path) -> Any:
    """Return the content of the YAML file."""
    return yaml.load(path.read_text(encoding="utf-8"), PlainLoader)  # noqa: S506 (a SafeLoader)
