"""A role that runs alone brings what it needs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]


def tasks(*options: str) -> list[str]:
    """Return the tasks of `ansible-playbook site.yml` with the options, in their order."""
    done = subprocess.run(  # noqa: S603 (built here)
        [
            *(Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "site.yml"),
            *("--list-tasks", *options),
        ],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return re.findall(r"^ +((?:\w+ : )?\S.*?)\t", done.stdout, re.MULTILINE)


def test_the_authority_is_asked_after_nginx_also_with_the_tag_of_the_role_alone():
    for options in ((), ("--tags", "tls"), ("--tags", "nginx,tls")):
        found = tasks(*options)
        issue = found.index("Obtain or renew the certificate of the authority")
        assert found.index("tls : Set up TLS") < issue
        if "tls" not in options:
            assert found.index("nginx : Configure and start nginx") < issue


@pytest.mark.parametrize(
    "needed",
    ["mongodb : Enable and start the database", "flask_app : Install the uploaded release"],
)
def test_the_users_of_the_database_bring_the_database_and_the_driver(needed: str):
    found = tasks("--tags", "mongodb_access")
    assert found.index(needed) < found.index("mongodb_access : Manage the database's users")


def dependencies(role: str) -> list[dict]:
    """Return the roles that run before this one."""
    text = (ROOT / "roles" / role / "meta/main.yml").read_text(encoding="utf-8")
    return yaml.safe_load(text)["dependencies"]


# Of the hosts of a cluster, on which the play's own entry has it too.
IS_APP_HOST = "'app' in __layout_parts"


def is_conditional(entry: dict) -> bool:
    return entry.get("when", IS_APP_HOST) != IS_APP_HOST


def unconditional(role: str) -> set[str]:
    """Return the role and those that always run before it."""
    needed = [entry["role"] for entry in dependencies(role) if not is_conditional(entry)]
    return {role}.union(*(unconditional(name) for name in needed))


@pytest.mark.parametrize("playbook", ["bootstrap", "secure", "install", "serve", "verify"])
def test_no_condition_of_a_dependency_skips_the_handlers_of_a_role_that_runs(playbook: str):
    """Ansible keeps one handler of a name in a play: the last, with the condition of its role."""
    path = ROOT / "playbooks" / f"{playbook}.yml"
    for play in yaml.safe_load(path.read_text(encoding="utf-8")):
        listed = [entry["role"] for entry in play.get("roles", [])]
        for entry in play.get("roles", []):
            if entry["role"] == "flask_app":
                assert entry["when"] == IS_APP_HOST
        runs = set().union(*(unconditional(name) for name in listed))
        conditional = {
            entry["role"] for name in runs for entry in dependencies(name) if is_conditional(entry)
        }
        assert not conditional & runs
