"""A host key that ssh does not accept is named by the first playbook that meets it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_programs import run

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAw2aROzjk1XS9d4mCg53LLeEf0fhFm+wrTmGn2tgh2L"
CHANGED = "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @"
FAILED = "Host key verification failed."


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """An inventory whose only host is reached by the ssh of `answers`."""
    path = tmp_path / "hosts.yml"
    path.write_text(
        "tox_com_det: {hosts: {x: {ansible_host: 192.0.2.1, ansible_port: 2222, "
        "ansible_user: deploy, sudo_user_nopasswd: true, miniconda_accept_terms: true, "
        f"sudo_user_authorized_keys: [{KEY}]}}}}}}\n"
    )
    return path


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What ssh says before it ends."""
    program, said = tmp_path / "bin/ssh", tmp_path / "said"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncat {said} >&2\nexit 255\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setenv("ANSIBLE_SSH_EXECUTABLE", str(program))
    return said


def refusal(inventory: Path, playbook: str) -> str:
    """Return what a playbook says that does not go on, as one line."""
    done = run("ansible-playbook", "-i", str(inventory), f"playbooks/{playbook}.yml")
    assert done.returncode != 0
    return " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize(
    ("playbook", "said", "words"),
    [
        ("bootstrap", FAILED, "accept it with: ssh -p 2222 root@192.0.2.1 true"),
        ("preflight", FAILED, "accept it with: ssh -p 2222 deploy@192.0.2.1 true"),
        ("bootstrap", f"{CHANGED}\n{FAILED}", "run: ssh-keygen -R '[192.0.2.1]:2222'"),
        ("preflight", f"{CHANGED}\n{FAILED}", "run: ssh-keygen -R '[192.0.2.1]:2222'"),
        ("bootstrap", "Permission denied (publickey).", "neither root nor deploy can log in to x"),
    ],
)
def test_each_answer_of_ssh_is_one_line_with_the_next_command(
    inventory: Path, answers: Path, playbook: str, said: str, words: str
) -> None:
    answers.write_text(f"{said}\n")
    assert words in refusal(inventory, playbook)


def test_a_pinned_key_names_the_file_that_has_it(inventory: Path, answers: Path) -> None:
    answers.write_text(f"{FAILED}\n")
    pinned = "ansible_ssh_common_args: -o UserKnownHostsFile=known_hosts.txt, ansible_port:"
    inventory.write_text(inventory.read_text().replace("ansible_port:", pinned))
    said = refusal(inventory, "preflight")
    assert "true -- in the file of ansible_ssh_common_args, where the key is pinned" in said


def test_a_password_does_not_hide_the_host_key(inventory: Path, answers: Path) -> None:
    """Ansible has words of its own then."""
    answers.write_text(f"{FAILED}\n")
    sshpass = answers.parent / "bin/sshpass"
    sshpass.write_text('#!/bin/sh\nshift\nexec "$@"\n')
    sshpass.chmod(0o755)
    inventory.write_text(inventory.read_text().replace("x: {", "x: {ansible_password: a, "))
    assert "is not known yet: compare it with" in refusal(inventory, "bootstrap")


def test_terms_that_are_not_accepted_stop_before_the_server_is_asked(inventory, answers):
    answers.write_text("nobody asks\n")
    inventory.write_text(inventory.read_text().replace("terms: true", "terms: false"))
    said = refusal(inventory, "preflight")
    assert "set miniconda_accept_terms to true, or python_provider to system" in said
    assert "nobody asks" not in said
