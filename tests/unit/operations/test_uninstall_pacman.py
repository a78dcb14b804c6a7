"""Packages that are removed with pacman, which stops and disables no service of theirs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible_run import run_tasks

# Knows one installed package, and forgets it.
PACMAN = """#!/bin/sh
echo "pacman $*" >>"$F/calls"
case "$*" in
*--remove*--print*) test -e "$F/removed" || echo "$PACKAGE" ;;
*--remove*) touch "$F/removed" ;;
*--query*--groups* | *--query*--upgrades*) ;;
*--query*) test -e "$F/removed" || echo "$PACKAGE 1.3.3-1" ;;
*--sync*--list*) echo "extra $PACKAGE 1.3.3-1" ;;
esac
"""
# polkit.service loses its unit with the packages; another one had none before.
SYSTEMCTL = """#!/bin/sh
case "$*" in
*list-units*)
    echo "old.service not-found active running old.service"
    echo "gone.service not-found inactive dead gone.service"
    test ! -e "$F/removed" || echo "polkit.service not-found active running polkit.service" ;;
*cat*) test ! -e "$F/removed" ;;
*is-enabled*) echo enabled ;;
*show*) printf 'LoadState=loaded\\nActiveState=active\\nUnitFileState=enabled\\n' ;;
*) echo "systemctl $*" >>"$F/calls" ;;
esac
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What was called; the programs come first on the PATH."""
    (tmp_path / "bin").mkdir()
    for name, text in {"pacman": PACMAN, "systemctl": SYSTEMCTL}.items():
        (tmp_path / "bin" / name).write_text(text, encoding="utf-8")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("F", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (tmp_path / "calls").touch()
    return tmp_path / "calls"


def test_services_of_removed_packages_are_stopped(
    tmp_path: Path, calls: Path, monkeypatch: pytest.MonkeyPatch
):
    """D-Bus starts polkit for firewalld; without its package it would run until the next boot."""
    monkeypatch.setenv("PACKAGE", "firewalld")
    given = {"__uninstall_packages_ours": ["firewalld"]}
    code, _, output = run_tasks(tmp_path / "run", "uninstall", "packages_pacman.yml", given)
    assert code == 0, output
    lines = calls.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if " stop " in line] == ["systemctl stop polkit.service"]
    (removed,) = (
        number
        for number, line in enumerate(lines)
        if "--remove" in line and "--recursive" in line and "--print" not in line
    )
    assert (
        removed
        < lines.index("systemctl daemon-reload")
        < lines.index("systemctl stop polkit.service")
    )


@pytest.mark.parametrize(
    ("program", "unit", "stopped"),
    [
        ("fail2ban", "fail2ban.service", True),
        ("chrony", "chronyd.service", True),
        ("auditd", "auditd.service", False),
    ],
)
def test_a_part_of_hardening_is_stopped_before_its_package_goes(
    tmp_path: Path,
    calls: Path,
    monkeypatch: pytest.MonkeyPatch,
    program: str,
    unit: str,
    stopped: bool,
):
    """Otherwise fail2ban bans on, and the next boot looks for its unit."""
    monkeypatch.setenv("PACKAGE", program)
    record = tmp_path / f"{program}.json"
    record.write_text(json.dumps({"installed": [program], "replaced": []}), encoding="utf-8")
    given = {
        "ansible_facts": {"os_family": "Archlinux", "pkg_mgr": "pacman"},
        "__hardening_record": str(record),
        "__hardening_chrony_unit": "chronyd.service",
    }
    code, _, output = run_tasks(tmp_path / "run", "hardening", "take_back.yml", given)
    assert code == 0, output
    lines = calls.read_text(encoding="utf-8").splitlines()
    removed = next(
        number
        for number, line in enumerate(lines)
        if "--remove" in line and "--print" not in line and program in line
    )
    assert lines.index(f"systemctl disable {unit}") < removed
    assert (f"systemctl stop {unit}" in lines[:removed]) is stopped
    assert not record.exists()
