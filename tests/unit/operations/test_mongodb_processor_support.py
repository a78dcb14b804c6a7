"""The preflight checks refuse a MongoDB version that the processor cannot run.

MongoDB 5.0 and newer need AVX; without it mongod is killed by SIGILL at each start.
"""

from __future__ import annotations

import re

import pytest
from role_tasks import evaluate_assert, role, roles_in_order, task

VARIABLES = role("preflight").vars[role("preflight").path / "vars/main.yml"]
ASSERT = task("preflight", "Check that the CPU supports the selected MongoDB version")


def verdict(avx: bool, system: str = "rocky9", **inventory: object):
    seen = "MemTotal:1024" + ("\nAvx:1" if avx else "")
    name, version = re.fullmatch(r"([a-z]+)([0-9]+)", system).groups()
    read = {"__preflight_id": name, "__preflight_version": version}
    return evaluate_assert(
        ASSERT, {**VARIABLES, **read, "__preflight_resources": {"stdout": seen}, **inventory}
    )


@pytest.mark.parametrize("version", ["5.0", "6.0", "7.0", "8.0", "9.0"])
def test_without_avx_a_version_that_needs_it_is_rejected_and_another_is_suggested(version):
    said = verdict(False, mongodb_version=version)
    assert not said.passed
    assert f"MongoDB {version} needs a CPU with AVX" in said.message
    assert 'mongodb_version: "4.4"' in said.message


@pytest.mark.parametrize("version", ["4.0", "4.4"])
def test_older_versions_run_without_avx(version):
    assert verdict(False, mongodb_version=version).passed


def test_the_default_version_is_checked_too():
    assert verdict(False, system="centos7").passed
    assert not verdict(False, system="rocky9").passed
    assert "MongoDB 9.0 needs" in verdict(False, system="debian13").message


def test_with_avx_every_version_passes():
    choices = role("mongodb").spec["mongodb_version"]["choices"]
    assert {"4.0", "4.4", "5.0", "6.0", "7.0"} <= set(choices)
    assert all(verdict(True, mongodb_version=version).passed for version in choices)


def test_it_is_checked_before_anything_is_changed():
    assert "mongodb" in roles_in_order("install.yml")
    assert roles_in_order("preflight.yml") == ["preflight"]
    reading = task("preflight", "Read memory, swap, disk space, CPU features and the clock")
    assert "grep -qw avx /proc/cpuinfo" in reading.data["ansible.builtin.raw"]
