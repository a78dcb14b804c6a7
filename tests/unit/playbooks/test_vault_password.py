"""A missing vault password stops the run with the option that provides it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ansible_programs import ROOT, run


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """An inventory whose only host does not exist, with a vault."""
    directory = tmp_path / "inventory"
    (directory / "group_vars").mkdir(parents=True)
    (directory / "hosts.yml").write_text(
        "tox_com_det: {hosts: {x: {ansible_connection: local, python_provider: system}}}\n"
    )
    vault = directory / "group_vars/all.yml"
    vault.write_text("vault_word: canary\n")
    (tmp_path / "password").write_text("open sesame\n")
    run("ansible-vault", "encrypt", f"--vault-password-file={tmp_path}/password", str(vault))
    return directory


def test_a_missing_password_names_the_option_that_provides_it(inventory):
    done = run("ansible-playbook", "-i", str(inventory), "playbooks/preflight.yml")
    assert done.returncode == 1
    assert "group_vars/all.yml is a vault, and its password is missing" in done.stderr
    assert "--ask-vault-pass" in done.stderr
    assert "TASK" not in done.stdout


def test_with_the_password_the_run_continues(inventory, tmp_path):
    done = run(
        "ansible-playbook",
        "-i",
        str(inventory),
        "playbooks/preflight.yml",
        ANSIBLE_VAULT_PASSWORD_FILE=str(tmp_path / "password"),
    )
    assert "TASK [preflight : Read the operating system and the Python version]" in done.stdout
    assert "is a vault" not in done.stderr


def test_a_copy_of_the_example_without_its_vault_names_the_example(tmp_path):
    mine = tmp_path / "mine"
    shutil.copytree(ROOT / "inventory/example", mine)
    for source in (mine, mine / "hosts.yml"):
        done = run("ansible-playbook", "-i", str(source), "playbooks/bootstrap.yml")
        assert done.returncode == 1
        assert "tox_com_det/vault.yml does not exist" in done.stderr
        assert "as vault.yml.example describes, or set sudo_user_nopasswd: true" in done.stderr
        assert "TASK" not in done.stdout
    variables = mine / "group_vars/tox_com_det/vars.yml"
    text = variables.read_text()
    for way in (
        text + "vault_sudo_user_password: a\nvault_sudo_user_password_hash: b\n",
        "\n".join(line for line in text.splitlines() if "{{ vault_" not in line),
    ):
        variables.write_text(way)
        done = run(
            *(
                "ansible-playbook",
                "-i",
                str(mine),
                "--limit",
                "none:&all",
                "playbooks/bootstrap.yml",
            )
        )
        assert "vault.yml does not exist" not in done.stderr
