"""Role firewalld's direct rules on CentOS 7, with a program that keeps rules as firewalld does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_run import run_tasks

OTHERS = "ipv4 filter INPUT 0 -p icmp -j ACCEPT"
# Printed as a shell would quote it (firewalld 0.6.3).
OURS = "ipv4 filter INPUT 1 '!' -i lo -p tcp -m comment --comment tox_com_det -j REJECT"
OLD = OURS.replace("INPUT 1", "INPUT 2")
FIREWALL_CMD = r"""#!/bin/sh
rules=$F/running
case $1 in --permanent) rules=$F/permanent; shift ;; esac
shift
verb=$1; shift
set -- "$(echo "$*" | sed "s/ ! / '!' /")"
case $verb in
--get-all-rules) cat "$rules" ;;
--add-rule) grep -qxF -e "$*" "$rules" || echo "$*" >> "$rules" ;;
--remove-rule) grep -vxF -e "$*" "$rules" > "$rules.new"; mv "$rules.new" "$rules" ;;
esac
"""


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of the rules, and of the program `firewall-cmd`."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/firewall-cmd"
    program.write_text(FIREWALL_CMD)
    program.chmod(0o755)
    for name in ("running", "permanent"):
        (tmp_path / name).write_text(f"{OTHERS}\n{OLD}\n")
    monkeypatch.setenv("F", str(tmp_path))
    return tmp_path


def run(
    rules: Path, wanted: list[str], *options: str, tasks: str = "direct.yml"
) -> tuple[int, int, str]:
    given = {
        "__firewalld_direct": wanted,
        "__firewalld_direct_path": str(rules / "direct.xml"),
        "__firewalld_path": f"{rules / 'bin'}{os.pathsep}/usr/bin:/bin",
    }
    return run_tasks(rules / "run", "firewalld", tasks, given, *options)


def found(rules: Path) -> list[list[str]]:
    return [(rules / name).read_text().splitlines() for name in ("running", "permanent")]


def test_own_rules_become_those_that_are_declared_and_others_stay(rules: Path):
    before = found(rules)
    assert run(rules, [OURS], "--check")[0] == 0
    assert found(rules) == before
    code, changed, output = run(rules, [OURS])
    assert (code, changed) == (0, 1), output
    assert found(rules) == [[OTHERS, OURS]] * 2
    assert run(rules, [OURS])[:2] == (0, 0)
    assert run(rules, [])[:2] == (0, 1)
    assert found(rules) == [[OTHERS]] * 2


def test_a_run_that_was_cut_off_between_both_is_finished(rules: Path):
    (rules / "permanent").write_text(f"{OTHERS}\n{OURS}\n")
    assert run(rules, [OURS])[0] == 0
    assert found(rules) == [[OTHERS, OURS]] * 2


@pytest.mark.parametrize("others", [True, False])
def test_uninstall_leaves_no_rule_and_no_file_of_ours(rules: Path, others: bool):
    """The file is changed too: firewalld may not run, and its next start would read it."""
    line = '  <rule ipv="ipv4" table="filter" chain="INPUT" priority="0">{}</rule>\n'
    ours = line.format("-p tcp --syn -m comment --comment tox_com_det -j REJECT")
    other = line.format("-p icmp -j ACCEPT") if others else ""
    frame = '<?xml version="1.0" encoding="utf-8"?>\n<direct>\n{}</direct>\n'
    (rules / "direct.xml").write_text(frame.format(ours + other))
    (rules / "direct.xml.old").write_text(frame.format(ours))
    code, _, output = run(rules, [], tasks="remove_direct.yml")
    assert code == 0, output
    assert found(rules)[0] == [OTHERS]
    assert not (rules / "direct.xml.old").exists()
    assert (rules / "direct.xml").exists() is others
    if others:
        assert (rules / "direct.xml").read_text() == frame.format(other)
    code, changed, output = run(rules, [], tasks="remove_direct.yml")
    assert (code, changed) == (0, 0), output
