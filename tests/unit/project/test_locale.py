"""Scripts, make and fab set the UTF-8 locale that Ansible requires."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent
SCRIPTS = ("lock", "serve", "test", "test-faults", "test-upgrade", "up", "venv", "venv-training")


@pytest.fixture(
    params=[{"LANG": "xx_XX.UTF-8"}, {"LANG": "xx_XX.UTF-8", "LC_ALL": "C"}, {"LC_ALL": "C"}]
)
def poor(request: pytest.FixtureRequest) -> dict[str, str]:
    """Environments whose locale is not installed or has no UTF-8."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG"))}
    return {**kept, "PATH": f"{BIN}:{kept['PATH']}", **request.param}


def run(
    environment: dict[str, str], *command: str, cwd: Path = PROJECT
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 (words of the tests)
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def test_ansible_alone_refuses_such_a_locale(poor: dict[str, str]) -> None:
    assert "locale" in run(poor, "ansible", "--version").stderr


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_sets_the_locale_first(name: str) -> None:
    lines = (PROJECT / "scripts" / name).read_text(encoding="utf-8").splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("cd "))
    assert lines[at + 1] == ". scripts/utf8.sh"


def test_ansible_runs_below_a_script(poor: dict[str, str]) -> None:
    done = run(poor, "sh", "-euc", ". scripts/utf8.sh; ansible --version")
    assert (done.returncode, done.stderr) == (0, "")


def test_ansible_runs_below_make(poor: dict[str, str], tmp_path: Path) -> None:
    text = (PROJECT / "Makefile").read_text(encoding="utf-8")
    (tmp_path / "Makefile").write_text(f"{text}\nversion:\n\t@ansible --version\n", "utf-8")
    (tmp_path / "scripts").symlink_to(PROJECT / "scripts")
    done = run(poor, "make", "version", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_fab_lists_its_tasks_and_reads_the_inventory(poor: dict[str, str]) -> None:
    done = run(poor, "fab", "--list")
    assert (done.returncode, done.stderr) == (0, "")
    assert "deploy-model" in done.stdout
    done = run({**poor, "ANSIBLE_INVENTORY": "/dev/null"}, "fab", "status")
    assert done.stderr.startswith("error: /dev/null has no host in group tox_com_det")


def test_a_locale_with_utf_8_is_kept(poor: dict[str, str]) -> None:
    script = ". scripts/utf8.sh; echo ${LC_ALL-unset}"
    assert run({**poor, "LC_ALL": ""}, "sh", "-euc", script).stdout == "C.UTF-8\n"
    poor.pop("LC_ALL", None)
    assert run({**poor, "LANG": "C.UTF-8"}, "sh", "-euc", script).stdout == "unset\n"
