"""Each preflight check fails with one line that names the correction."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
INVENTORY = SCENARIO / "inventory"
# On Arch Linux MongoDB comes from the AUR.
REPOSITORY = "mongodb_aur_url" if SCENARIO.name == "arch" else "mongodb_repository_url"


def preflight(**variables) -> tuple[int, str]:
    """Run the preflight checks with some variables overridden: exit code and output."""
    command = ["ansible-playbook", "playbooks/preflight.yml", "--extra-vars", json.dumps(variables)]
    environment = {
        **os.environ,
        "ANSIBLE_INVENTORY": str(INVENTORY),
        "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        # A new connection: one that is kept open would hide a changed host key.
        "ANSIBLE_SSH_ARGS": "-o ControlMaster=no -o ControlPath=none",
        "ANSIBLE_FORCE_COLOR": "false",
    }
    done = subprocess.run(  # noqa: S603 (built here)
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_a_suitable_server_passes():
    code, said = preflight()
    assert code == 0, said


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"mongdb_version": "4.0"}, ["mongdb_version (did you mean mongodb_version?)"]),
        ({"__preflight_id": "minix"}, ["is not supported. Supported systems: ", "debian 12"]),
        (
            {"__preflight_python": "2.7", "__preflight_core": "2.19.1"},
            ["ansible-core 2.19.1 cannot manage Python 2.7", "make venv CORE=2.16"],
        ),
        ({"preflight_memory_min_mb": 2000}, ["has 1024 MiB of memory", "base_swap_enabled: true"]),
        (
            {"preflight_memory_and_swap_min_mb": 1500},
            ["1500 MiB with swap", "base_swap_enabled: true"],
        ),
        (
            {
                "__preflight_resources": {
                    "stdout": "MemTotal:980\nSwapTotal:0\nDiskFree:100\nAvx:1\n"
                }
            },
            ["has 100 MiB free on /", "du -xh"],
        ),
        (
            {
                "__preflight_resources": {"stdout": "MemTotal:980\nSwapTotal:0\nDiskFree:9000\n"},
                "mongodb_provider": "mongodb-org",
                "mongodb_version": "7.0",
                # For a release of Debian that MongoDB has no 7.0 for.
                "mongodb_repository_url": "http://127.0.0.1/",
            },
            ["MongoDB 7.0 needs a CPU with AVX", 'mongodb_version: "4.4"'],
        ),
        (
            {
                "mongodb_provider": "mongodb-org",
                "mongodb_repository_url": "http://127.0.0.1:9/repository/",
                "mongodb_key_base_url": "http://127.0.0.1/",
                "mongodb_aur_url": "http://127.0.0.1:9/repository/",
            },
            ["cannot reach http://127.0.0.1:9/repository/", f"set {REPOSITORY} to a mirror"],
        ),
        ({"ansible_port": 1}, ["cannot log in to", "playbooks/bootstrap.yml"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_each_problem_is_reported_with_its_correction(variables, words):
    code, said = preflight(**variables)
    assert code != 0, said
    message = next(
        line
        for line in said.splitlines()
        if line.startswith(("fatal:", "failed:")) and '"assertion"' in line
    )
    for word in words:
        assert word in message.replace('\\"', '"'), message


def test_a_changed_or_unknown_host_key_is_reported_with_its_correction(tmp_path, variables):
    known, key = tmp_path / "known_hosts", tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)  # noqa: S603, S607 (fixed words, no shell)
    other = Path(f"{key}.pub").read_text().split()
    port = variables["ansible_port"]
    known.write_text(f"[127.0.0.1]:{port} {other[0]} {other[1]}\n")
    strict = f"-o UserKnownHostsFile={known} -o StrictHostKeyChecking=yes"
    code, said = preflight(ansible_ssh_common_args=strict)
    assert code != 0
    assert f"ssh-keygen -R '[127.0.0.1]:{port}'" in said
    known.write_text("")
    code, said = preflight(ansible_ssh_common_args=strict)
    assert code != 0
    assert "is not known yet" in said
