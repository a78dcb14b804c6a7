"""The preflight checks refuse an Ansible that cannot manage the server's Python.

ansible-core 2.16 manages CentOS 7's Python 2.7, 2.17 does not. The message says so before a module
fails with a stack trace.
"""

from __future__ import annotations

import re

import pytest
from role_tasks import PROJECT, judge, role, task

ASSERT = task("preflight", "Check that this Ansible can manage the server")


def verdict(ansible: str, python: str):
    return judge(
        ASSERT,
        {
            "__preflight_core": ansible,
            "__preflight_python": python,
            "__preflight_id": "centos",
            "__preflight_version": "7",
        },
    )


@pytest.mark.parametrize("ansible", ["2.17.0", "2.19.3"])
def test_a_newer_ansible_is_refused_for_centos_7_with_what_to_type(ansible: str):
    said = verdict(ansible, "2.7")
    assert not said.good
    assert f"ansible-core {ansible} cannot manage Python 2.7 of centos 7; 2.16 can" in said.message
    assert "make venv" in said.message


@pytest.mark.parametrize(("ansible", "python"), [("2.16.19", "2.7"), ("2.19.3", "3.9")])
def test_an_ansible_that_fits_is_let_through(ansible: str, python: str):
    assert verdict(ansible, python).good


def test_nothing_before_it_needs_a_python_on_the_server():
    """Module raw and assertions only: anything else would be the stack trace."""
    modules = {one.module for one in role("preflight").tasks if one.file == ASSERT.file}
    assert modules == {
        "ansible.builtin.assert",
        "ansible.builtin.raw",
        "ansible.builtin.set_fact",
    }
    play = (PROJECT / "playbooks/preflight.yml").read_text(encoding="utf-8")
    assert "gather_facts: false" in play


def test_the_controllers_lock_has_one_that_manages_centos_7():
    locks = "".join(path.read_text(encoding="utf-8") for path in PROJECT.glob("requirements/*.txt"))
    assert re.findall(r"(?m)^ansible-core==(\d+\.\d+)\.", locks) == ["2.16"]
