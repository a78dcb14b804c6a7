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


def roles_in_order() -> list[str]:
    """Return the roles of site.yml in the order in which they run."""
    imports = yaml.safe_load((PROJECT / "site.yml").read_text(encoding="utf-8"))
    plays = [
        play
        for entry in imports
        for play in yaml.safe_load(
            (PROJECT / entry["ansible.builtin.import_playbook"]).read_text(encoding="utf-8")
        )
    ]
    return [entry["role"] for play in plays for entry in play["roles"]]


def playbook(*arguments: str) -> tuple[int, int, str]:
    """Run ansible-playbook on the scenario's Nanode.

    Returns:
        The exit code, the number of changed tasks on the server, and the output.
    """
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "MOLECULE_"))
    }
    done = subprocess.run(  # noqa: S603 (fixed words, no shell)
        [str(Path(sys.executable).with_name("ansible-playbook")), *arguments],
        cwd=PROJECT,
        env={
            **environment,
            "ANSIBLE_INVENTORY": str(SCENARIO / "inventory"),
            "ANSIBLE_NOCOLOR": "1",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    recap = re.search(r"^tags +: .* changed=(\d+)", done.stdout, re.MULTILINE)
    return done.returncode, int(recap[1]) if recap else -1, done.stdout + done.stderr


def test_bootstrap_creates_the_sudo_user():
    code, _, output = playbook("playbooks/bootstrap.yml")
    assert code == 0, output


@pytest.mark.parametrize("role", reversed(roles_in_order()))
def test_a_role_runs_alone(role: str):
    code, _, output = playbook("site.yml", "--tags", role)
    assert code == 0, output


def test_after_all_roles_site_yml_has_nothing_to_change():
    code, changed, output = playbook("site.yml")
    assert code == 0, output
    assert changed == 0, output


if not os.environ.get("MOLECULE_PROJECT_DIRECTORY"):
    pytestmark = pytest.mark.skip(reason="run by 'molecule test -s tags'")
