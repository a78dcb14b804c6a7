"""What is wrong with the command line of fab is one line that names the next command."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from controller.deploy.paths import ROOT


def fab(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 (words of the tests, no shell)
        [sys.executable, "-m", "controller.deploy.program", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-t", "abc"], "--connect-timeout is 'abc', not a whole number up to 86400"),
        (["-T", "1e5", "status"], "--command-timeout is '1e5', not a whole number up to 86400"),
        (["-D", "-1", "--list"], "--list-depth is '-1', not a whole number up to 86400"),
        (["-F", "yaml", "--list"], "--list-format is 'yaml', not flat or nested or json"),
        (["-H"], "--hosts has no value: see `fab --help TASK`"),
        (["-H", "x", "status"], "hosts come from the Ansible inventory"),
        (["-H", "", "status"], "hosts come from the Ansible inventory"),
        (["stats"], "there is no task 'stats' (did you mean status?): see `fab --list`"),
        (["--help", "nope"], "there is no task 'nope': see `fab --list`"),
        (["status", "--nope"], "there is no option '--nope': see `fab --help` and"),
        (["logs", "--lines"], "--lines has no value: see `fab --help TASK`"),
        (["rollback", "--release"], "--release has no value: see `fab --help TASK`"),
        (["prune", "--keep=x"], "--keep is 'x', not a whole number of 1 or more"),
        (["--dry", "deploy-app"], "--dry would not keep a task from changes: give it --dry-run"),
        (["deploy-app", "-R"], "--dry would not keep a task from changes: give it --dry-run"),
        (["-S", "/not/there", "status"], "'/not/there': No such file or directory"),
        (["-f", "/etc/passwd", "status"], "a configuration file of Fabric or ssh cannot be read"),
        (["--", "uptime"], "there is nothing to do with words after --"),
        (["-H", ":;", "status"], "hosts come from the Ansible inventory"),
        (["-c", "nope", "status"], "there is no such fabfile here: run fab in the checkout"),
    ],
)
def test_a_wrong_command_line_is_one_line(words: list[str], said: str) -> None:
    done = fab(*words)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {said}")


def test_without_a_fabfile_the_checkout_is_named(tmp_path: Path) -> None:
    done = fab("status", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: there is no such fabfile here: run fab in the checkout")


def test_lists_and_help_are_fabrics_own() -> None:
    done = fab("--list")
    assert (done.returncode, done.stderr) == (0, "")
    assert "deploy-model" in done.stdout
    assert "Usage: fab " in fab("--help", "status").stdout
    assert fab("--version").stdout.startswith("Fabric ")


def test_the_code_is_that_of_the_checkout_in_which_fab_is_called(tmp_path: Path) -> None:
    # Python moves files in __pycache__ while other tests import.
    compiled = shutil.ignore_patterns("__pycache__")
    for name in ("app", "controller", "server"):
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True, ignore=compiled)
    fabfile = (ROOT / "fabfile.py").read_text()
    (tmp_path / "fabfile.py").write_text(f"{fabfile}\nprint(sys.modules['controller'].__file__)\n")
    done = subprocess.run(  # noqa: S603 (fixed words)
        [Path(sys.executable).with_name("fab"), "--list"],
        cwd=tmp_path / "app",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{tmp_path}/controller/__init__.py\n")
