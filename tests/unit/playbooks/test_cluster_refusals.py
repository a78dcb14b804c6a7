"""Preflight refuses groups of a cluster that cannot work, before it asks any host."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
GOOD = """
tox_com_det:
  vars:
    python_provider: system
    mongodb_remote_access: true
    flask_app_mongodb_uri: mongodb://user:password@192.0.2.13
  children:
    app: {hosts: {app1: {cluster_address: 192.0.2.11}}}
    database: {hosts: {db1: {cluster_address: 192.0.2.13}}}
    balancer: {hosts: {lb1: {cluster_address: 192.0.2.14}}}
"""
ACME = "{tls_mode: acme, tls_accept_terms: true, tls_names: [a.example.org]}"
TWO_WITH_ACME = f"192.0.2.14}}, lb2: {{cluster_address: 192.0.2.15}}}}, vars: {ACME}}}"


def preflight(directory: Path, inventory: str) -> str:
    """Return what the check of the inventory says; nobody answers at its addresses."""
    path = directory / "hosts.yml"
    path.write_text(inventory)
    done = subprocess.run(  # noqa: S603 (built here)
        [
            *(Path(sys.executable).with_name("ansible-playbook"), "-i", path),
            *(
                "playbooks/preflight.yml",
                "-e",
                "ansible_ssh_timeout=1",
                "-e",
                "ansible_host=127.0.0.1",
            ),
            *("-e", "ansible_port=1"),
        ],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    return " ".join(f"{done.stdout}{done.stderr}".split())


def test_groups_that_can_work_are_not_refused(tmp_path: Path):
    said = preflight(tmp_path, GOOD)
    assert "docs/scaling.md" not in said
    assert "Check the groups of the cluster" in said


def test_addresses_of_ipv6_are_not_refused(tmp_path: Path):
    said = preflight(tmp_path, GOOD.replace("192.0.2.14}", "'2001:db8::7'}"))
    assert "docs/scaling.md" not in said


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("app: {hosts: {app1", "other: {hosts: {app1", "group app is empty"),
        ("app: {hosts: {app1", "other: {hosts: {app1", "app1 is in none of the groups"),
        ("database:", "db:", "group database has 0 hosts, and exactly one is supported"),
        (
            "192.0.2.13}}}",
            "192.0.2.13}, db2: {cluster_address: 192.0.2.15}}}",
            "group database has 2 hosts",
        ),
        ("lb1: {cluster_address: 192.0.2.14}", "app1: ", "app1 is in group app and in group bal"),
        ("{cluster_address: 192.0.2.14}", "{}", "lb1 has no cluster_address"),
        ("192.0.2.14}", "lb1.example.org}", "cluster_address is lb1.example.org, not an IP"),
        ("192.0.2.14}", "999.1.1.1}", "cluster_address is 999.1.1.1, not an IP address"),
        ("192.0.2.14}", "'::::'}", "cluster_address is ::::, not an IP address"),
        (
            "192.0.2.14}}}",
            TWO_WITH_ACME,
            "tls_mode is acme, and of 2 balancers",
        ),
        ("password@192.0.2.13", "password@127.0.0.1", "leads to the app host itself"),
        ("password@192.0.2.13", "password@[::1]:27017", "leads to the app host itself"),
        ("remote_access: true", "remote_access: false", "mongodb_remote_access is not true"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path: Path, old: str, new: str, words: str):
    assert old in GOOD
    said = preflight(tmp_path, GOOD.replace(old, new))
    assert words in said
    assert "Correct the inventory (docs/scaling.md)" in said
