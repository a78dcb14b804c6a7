"""A unit that systemd would take in part, ignoring a value, is not installed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from rendering import TREE, evaluate

UNIT = "[Service]\nExecStart=/bin/sh -c true\n"
# What systemd says of a value that it ignores, with exit code 0.
SAYS = {
    219: "[{file}:3] Failed to parse memory limit, ignoring: 300MB",
    252: "{file}:3: Invalid memory limit '300MB', ignoring: Invalid argument",
}
OF_OTHERS = "/lib/systemd/system/other.service:9: Unit configured to use KillMode=none"


SLOT = "etc/systemd/system/tox_com_det@.service.j2"
MONGOD = "etc/systemd/system/mongod.service.d/tox_com_det.conf.j2"
NGINX = "etc/systemd/system/nginx.service.d/tox_com_det.conf.j2"
SSHD = "{{ __sshd_unit_settings }}"


def command(template: str) -> str:
    """The command that validates a unit before it is installed, as Ansible splits it."""
    (task,) = (
        task
        for role in TREE.roles
        for task in role.template_tasks
        if task.arguments["src"] == template
    )
    role = next(role for role in TREE.roles if role.name == "layout")
    variables = {
        name: value
        for values in role.vars.values()
        for name, value in values.items()
        if name.startswith("__layout")
    }
    variables["__sshd_service"] = "ssh.service"
    return str(evaluate(task.arguments["validate"], variables))


def validated(
    tmp_path: Path, text: str, path: str | None, template: str
) -> subprocess.CompletedProcess[str]:
    unit = tmp_path / "source"
    unit.write_text(text)
    environment = {**os.environ, **({"PATH": f"{path}:{os.environ['PATH']}"} if path else {})}
    return subprocess.run(  # noqa: S603 (the command of the role)
        shlex.split(command(template) % unit),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def fake(tmp_path: Path, words: str, code: int = 0) -> str:
    """The directory of a systemd-analyze that prints words about the file that it gets."""
    programs = tmp_path / "programs"
    programs.mkdir()
    said = words.format(file="$file")
    for name, script in {
        "systemd-analyze": f'for file; do :; done; echo "{said}"; exit {code}',
        "systemctl": f"echo FragmentPath={tmp_path}/source",
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    return str(programs)


@pytest.mark.parametrize("version", SAYS)
def test_an_ignored_value_is_one_line_that_names_the_next_command(tmp_path: Path, version: int):
    done = validated(tmp_path, UNIT, fake(tmp_path, SAYS[version]), SLOT)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("systemd does not take tox_com_det@slot.service: ")
    assert "300MB" in line
    assert line.endswith("correct the value in the inventory and rerun the playbook")


@pytest.mark.parametrize(
    ("task", "advice"),
    [
        (MONGOD, "mongod.service: .*correct the value in the inventory and rerun"),
        (NGINX, "nginx.service: .*correct the value"),
        (SSHD, "ssh.service: .*set sshd_confine to false and rerun"),
    ],
)
@pytest.mark.parametrize("version", SAYS)
def test_an_ignored_value_of_a_drop_in_is_found(
    tmp_path: Path, version: int, task: str, advice: str
):
    words = SAYS[version].replace("{file}", "{file}.d/tox_com_det.conf")
    done = validated(tmp_path, UNIT, fake(tmp_path, words), task)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert re.match(f"systemd does not take the drop-in of {advice}", line)


@pytest.mark.parametrize("task", [SLOT, MONGOD])
def test_messages_about_other_units_do_not_count(tmp_path: Path, task: str):
    assert validated(tmp_path, UNIT, fake(tmp_path, OF_OTHERS), task).returncode == 0


def test_an_error_of_systemd_analyze_is_shown(tmp_path: Path):
    done = validated(tmp_path, UNIT, fake(tmp_path, "no such thing", 1), SLOT)
    assert done.returncode == 1
    assert "no such thing" in done.stderr


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_itself_refuses_what_it_would_ignore(tmp_path: Path):
    task = SLOT
    assert validated(tmp_path, UNIT + "MemoryMax=300M\n", None, task).returncode == 0
    for line in ("MemoryMax=300MB", "TimeoutStopSec=5 x", "Restart=maybe", "MemroyMax=1G"):
        done = validated(tmp_path, f"{UNIT}{line}\n", None, task)
        assert done.returncode == 1, line
        assert ":3: " in done.stderr
