"""Each linter finds an error in every kind of file that it has to see."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import lint
import pytest
from lint_files import PROJECT

PYTHON = "#!/usr/bin/env python3\n"
# Every place for Python: the packages, programs without a suffix, tests of two directories.
STRICT = ("app/tox_com_det/a.py", "controller/deploy/b.py", "server/toxctl/c.py", "fabfile.py")
RELAXED = (
    "bench/program",
    "plugins/callback/d.py",
    "roles/web/files/program2",
    "scripts/e.py",
    "tests/unit/web/conftest.py",
    "tests/unit/web/test_f.py",
    "molecule/default/tests/conftest.py",
    "molecule/default/tests/test_g.py",
)
SHELL = (".ci/run", "roles/web/files/guard", "scripts/tool", "scripts/tool.sh")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project without files of its own, but with the settings of this one."""
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    return tmp_path


def plant(tree: Path, names: tuple[str, ...], text: str) -> None:
    for name in names:
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def run(tree: Path, linter: str, capfd: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = lint.main([linter], tree)
    said = capfd.readouterr()
    return code, said.out + said.err


@pytest.mark.parametrize(
    ("text", "error"),
    [(PYTHON + "x = {  }\n", "would be reformatted"), (PYTHON + "import os\n", "F401")],
)
def test_ruff_sees_every_python_file(
    tree: Path, capfd: pytest.CaptureFixture[str], text: str, error: str
):
    plant(tree, (*STRICT, *RELAXED), text)
    code, output = run(tree, "ruff", capfd)
    assert code == 1
    assert error in output
    for name in (*STRICT, *RELAXED):
        assert f"{name}:" in output


def test_mypy_sees_every_python_file(tree: Path, capfd: pytest.CaptureFixture[str]):
    plant(tree, (*STRICT, *RELAXED), PYTHON + 'def number() -> int:\n    return "one"\n')
    code, output = run(tree, "mypy", capfd)
    assert code == 1
    for name in (*STRICT, *RELAXED):
        assert f"{name}:3: error: Incompatible return value type" in output


def test_mypy_is_strict_in_the_packages(tree: Path, capfd: pytest.CaptureFixture[str]):
    plant(tree, (*STRICT, "bench/program"), PYTHON + "def one(x):\n    return x\n")
    code, output = run(tree, "mypy", capfd)
    assert code == 1
    for name in STRICT:
        assert f"{name}:2: error: Function is missing a type annotation" in output
    assert "bench/program" not in output


def test_shellcheck_sees_every_shell_file(tree: Path, capfd: pytest.CaptureFixture[str]):
    plant(tree, SHELL, "#!/bin/sh\necho $1\n")
    code, output = run(tree, "shellcheck", capfd)
    assert code == 1
    assert "SC2086" in output
    for name in SHELL:
        assert f"In {name} line 2" in output


def test_codespell_sees_every_text_file(tree: Path, capfd: pytest.CaptureFixture[str]):
    names = (".ci/run", "README.md", "roles/web/tasks/main.yml", "scripts/a.py")
    plant(tree, names, "# recieve\n")  # codespell:ignore recieve
    code, output = run(tree, "codespell", capfd)
    assert code == 1
    for name in names:
        assert f"{name}:1:" in output


def test_the_other_linters_run_after_one_failed(tree: Path, capfd: pytest.CaptureFixture[str]):
    plant(tree, ("scripts/tool",), "#!/bin/sh\necho $1\n")
    plant(tree, ("scripts/a.py",), "import os\n")
    assert lint.main(["ruff", "shellcheck"], tree) == 1
    said = capfd.readouterr()
    assert "F401" in said.out
    assert "SC2086" in said.out
    assert said.err.endswith("lint: failed: ruff, shellcheck\n")


def test_files_without_an_error_pass(tree: Path, capfd: pytest.CaptureFixture[str]):
    plant(tree, ("scripts/tool",), '#!/bin/sh\necho "$1"\n')
    plant(tree, ("scripts/a.py",), "import os\n\nprint(os.sep)\n")
    assert lint.main(["ruff", "shellcheck", "codespell"], tree) == 0, capfd.readouterr()


def test_an_unknown_linter_is_refused(capsys: pytest.CaptureFixture[str]):
    assert lint.main(["pylint"]) == 2
    assert "pylint is not one of ruff, " in capsys.readouterr().err


def test_make_lint_runs_all_linters():
    printed = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "lint"],  # noqa: S607 (make itself)
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.splitlines()[-1].split() == [".venv/bin/python", "scripts/lint.py"]
