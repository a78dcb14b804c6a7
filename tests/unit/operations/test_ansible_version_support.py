"""The preflight checks refuse an Ansible that cannot manage the server's Python.

ansible-core 2.16 manages CentOS 7's Python 2.7, later ones do not. The message says so before a
module fails with a stack trace.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import subprocess
from pathlib import Path

import pytest
from ansible_run import PLAYBOOK
from role_tasks import PROJECT, Verdict, evaluate_assert, task

ASSERT = task("preflight", "Check that this Ansible can manage the server")


def verdict(ansible: str, python: str) -> Verdict:
    return evaluate_assert(
        ASSERT,
        {
            "__preflight_core": ansible,
            "__preflight_python": python,
            "__preflight_id": "centos",
            "__preflight_version": "7",
        },
    )


@pytest.mark.parametrize("ansible", ["2.17.0", "2.19.3"])
def test_a_newer_ansible_is_rejected_for_centos_7_with_the_command_to_run(ansible: str):
    said = verdict(ansible, "2.7")
    assert not said.passed
    assert f"ansible-core {ansible} cannot manage Python 2.7 of centos 7; 2.16 can" in said.message
    assert "make venv CORE=2.16 && . .venv/bin/activate" in said.message


@pytest.mark.parametrize(("ansible", "python"), [("2.16.19", "2.7"), ("2.19.3", "3.9")])
def test_a_supported_ansible_passes(ansible: str, python: str):
    assert verdict(ansible, python).passed


def test_it_is_checked_before_a_module_needs_python_on_the_server(tmp_path: Path):
    """The interpreter does not exist here: any module but raw would fail with a stack trace."""
    system = platform.freedesktop_os_release()
    supported = [{"id": system["ID"], "version": system["VERSION_ID"].split(".")[0]}]
    host = {"ansible_connection": "local", "ansible_python_interpreter": "/nonexistent/python"}
    inventory = {"tox_com_det": {"hosts": {"server": host}}}
    (tmp_path / "hosts.yml").write_text(json.dumps(inventory), encoding="utf-8")
    # Stop at the check that follows.
    variables = {
        "__preflight_supported": supported,
        "preflight_memory_min_mb": 2**40,
        "python_provider": "system",
    }
    done = subprocess.run(  # noqa: S603 (words of the tests, no shell)
        [
            PLAYBOOK,
            f"--inventory={tmp_path / 'hosts.yml'}",
            f"--extra-vars={json.dumps(variables)}",
            "playbooks/preflight.yml",
        ],
        cwd=PROJECT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"TASK [preflight : {ASSERT.name}]" in done.stdout
    assert f"at least {2**40} MiB of memory are required" in done.stdout
    assert "/nonexistent/python" not in done.stdout + done.stderr


def test_each_environment_of_make_venv_manages_what_it_is_for():
    """The installed one is either of them."""
    installed = importlib.metadata.version("ansible-core")
    locked = {name: core_of(name) for name in ("controller", "controller-2.16")}
    assert installed in locked.values()
    assert verdict(locked["controller-2.16"], "2.7").passed
    assert not verdict(locked["controller"], "2.7").passed
    for core in locked.values():
        assert verdict(core, "3.9").passed
        assert verdict(core, "3.13").passed


def core_of(name: str) -> str:
    text = (PROJECT / f"requirements/{name}.txt").read_text(encoding="utf-8")
    (found,) = re.findall(r"(?m)^ansible-core==(\S+)", text)
    return str(found)
