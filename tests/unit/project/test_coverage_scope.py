"""Coverage pauses during tests that are not measured, and in what they start: tests/conftest.py."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).resolve().parents[2]
PROGRAM = """
import subprocess, sys

def by_roles():
    return "a line of its own"

def by_app():
    return "a line of its own"

def in_process_of_roles():
    return "a line of its own"

def in_process_of_app():
    return "a line of its own"

def start(name):
    word = f"import program; program.in_process_of_{name}()"
    subprocess.run([sys.executable, "-c", word], check=True)
"""
TEST = """
import program

def test_it():
    program.by_{name}()
    program.start("{name}")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.coverage.run]\nsource = ["program"]\npatch = ["subprocess"]\n'
        '[tool.pytest.ini_options]\npythonpath = ["."]\n'
    )
    for name in ("app", "roles"):
        (tmp_path / f"tests/unit/{name}").mkdir(parents=True)
        (tmp_path / f"tests/unit/{name}/test_{name}.py").write_text(TEST.format(name=name))
    shutil.copy(TESTS / "conftest.py", tmp_path / "tests/conftest.py")
    return tmp_path


@pytest.mark.parametrize("order", [("app", "roles"), ("roles", "app")])
def test_what_only_unmeasured_tests_run_is_not_counted(project: Path, order: tuple[str, str]):
    done = subprocess.run(  # noqa: S603 (fixed words, no shell)
        [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly"),
            *("--cov", "--cov-report=json", *(f"tests/unit/{name}" for name in order)),
        ],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    functions = json.loads((project / "coverage.json").read_text())["files"]["program.py"]
    percent = {
        name: found["summary"]["percent_covered"] for name, found in functions["functions"].items()
    }
    counted = {name for name, value in percent.items() if value == 100 and name}
    assert counted == {"by_app", "in_process_of_app", "start"}


@pytest.fixture
def unmeasured() -> list[Path]:
    """The directories that tests/conftest.py leaves out."""
    namespace: dict[str, Any] = {"__file__": str(TESTS / "conftest.py")}
    exec((TESTS / "conftest.py").read_text(), namespace)  # noqa: S102 (this project's file)
    return list(namespace["UNMEASURED"])


def words_of(target: str) -> list[str]:
    """What `make <target>` hands to pytest."""
    done = subprocess.run(  # noqa: S603 (fixed words, no shell)
        ["make", "--dry-run", "--no-print-directory", target],  # noqa: S607 (make itself)
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.rpartition("/pytest ")[2].split()


def test_each_directory_of_tests_is_in_one_part_of_make_test(unmeasured: list[Path]):
    directories = {str(path.relative_to(TESTS.parent)) for path in unmeasured}
    roles, programs = words_of("test-roles"), words_of("test-programs")
    assert set(roles) == directories
    # A word after --cov would be what it measures, in place of what pyproject.toml names.
    assert (programs[0], programs[-1]) == ("tests/unit", "--cov")
    assert set(programs[1:-1]) == {f"--ignore={directory}" for directory in directories}


def test_the_directories_that_are_not_measured_exist(unmeasured: list[Path]):
    assert unmeasured
    assert [path for path in unmeasured if not list(path.rglob("test_*.py"))] == []
