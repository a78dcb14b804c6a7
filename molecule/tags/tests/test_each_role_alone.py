"""Each role runs alone on a new server, as its README says: `site.yml --tags <role>`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

SCENARIO = Path(__file__).parents[1]
PROJECT = SCENARIO.parents[1]
# Where the system keeps its package lists.
LISTS = {"arch": "/var/lib/pacman/sync"}.get(
    os.environ.get("NANODE_SYSTEM", ""), "/var/lib/apt/lists"
)


def load(path: str) -> list[dict]:
    return yaml.safe_load((PROJECT / path).read_text(encoding="utf-8"))


def tags_of(role: str) -> list[str]:
    """Return the tags of the dependencies with one of their own, and the role's as the last one."""
    meta = yaml.safe_load((PROJECT / f"roles/{role}/meta/main.yml").read_text(encoding="utf-8"))
    found = [one["role"] for one in meta["dependencies"] if one["role"] in one.get("tags", [])]
    return [tag for dependency in found for tag in tags_of(dependency)] + [role]


def roles_in_order() -> list[str]:
    """Return the roles of site.yml in the order in which they run, each once."""
    imports = [entry["ansible.builtin.import_playbook"] for entry in load("site.yml")]
    plays = [play for path in imports for play in load(path)]
    tags = [tag for play in plays for entry in play["roles"] for tag in tags_of(entry["role"])]
    return list(dict.fromkeys(tags))


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of Ansible on the scenario's Nanode."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "MOLECULE_"))}
    own = {"ANSIBLE_INVENTORY": str(SCENARIO / "inventory"), "ANSIBLE_NOCOLOR": "1"}
    return subprocess.run(  # noqa: S603 (fixed words, no shell)
        [str(Path(sys.executable).with_name(program)), *arguments],
        cwd=PROJECT,
        env={**inherited, **own},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def remove_package_lists() -> None:
    """Make the server as new as an image without package lists."""
    # The system's own daily update may remove files of its own meanwhile.
    command = f"find {LISTS} -ignore_readdir_race -type f -delete"
    done = run("ansible", "tox_com_det", "--become", "-m", "ansible.builtin.command", "-a", command)
    assert done.returncode == 0, done.stdout + done.stderr


def test_bootstrap_creates_the_sudo_user():
    done = run("ansible-playbook", "playbooks/bootstrap.yml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("role", roles_in_order()[::-1])
def test_a_role_runs_alone(role: str):
    remove_package_lists()
    done = run("ansible-playbook", "site.yml", "--tags", role)
    assert done.returncode == 0, done.stdout + done.stderr


def test_after_all_roles_site_yml_has_nothing_to_change():
    done = run("ansible-playbook", "site.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^tags +: .* changed=0 ", done.stdout, re.MULTILINE), done.stdout


if not os.environ.get("MOLECULE_PROJECT_DIRECTORY"):
    pytestmark = pytest.mark.skip(reason="run by 'molecule test -s tags'")
