"""A missing vault password stops the run with the option that provides it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """An inventory whose only host does not exist, with a vault."""
    directory = tmp_path / "inventory"
    (directory / "group_vars").mkdir(parents=True)
    (directory / "hosts.yml").write_text("tox_com_det: {hosts: {x: {ansible_connection: local}}}\n")
    vault = directory / "group_vars/all.yml"
    vault.write_text("vault_word: canary\n")
    (tmp_path / "password").write_text("open sesame\n")
    ansible("ansible-vault", "encrypt", f"--vault-password-file={tmp_path}/password", str(vault))
    return directory


def ansible(program: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 (built here)
        [Path(sys.executable).with_name(program), *options],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_missing_password_names_the_option_that_provides_it(inventory):
    done = ansible("ansible-playbook", "-i", str(inventory), "playbooks/preflight.yml")
    assert done.returncode == 1
    assert "group_vars/all.yml is a vault, and its password is missing" in done.stderr
    assert "--ask-vault-pass" in done.stderr
    assert "TASK" not in done.stdout


def test_with_the_password_the_run_continues(inventory, tmp_path):
    done = ansible(
        "ansible-playbook",
        "-i",
        str(inventory),
        "playbooks/preflight.yml",
        ANSIBLE_VAULT_PASSWORD_FILE=str(tmp_path / "password"),
    )
    assert "TASK [preflight : Read the operating system and the Python version]" in done.stdout
    assert "is a vault" not in done.stderr
