"""Module `package_state`: installed packages of each package manager, and how old its lists are."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from module_run import run_module
from test_applied import PROJECT, python_2

MODULE = PROJECT / "plugins/modules/package_state.py"
DAY = 86400
# What each program prints, with a package that was removed and left its settings.
SAYS = {
    "apt": (
        "dpkg-query",
        "sudo\t1.9.13p3-1\tinstall ok installed\nufw\t0.36\tdeinstall ok config-files\n"
        "libc6\t2.36-9\thold ok installed\n",
    ),
    "dnf": ("rpm", "sudo\t1.9.5p2\nlibc6\t2.34\n"),
    "yum": ("rpm", "sudo\t1.8.23\nlibc6\t2.17\n"),
    "pacman": ("pacman", "sudo 1.9.15.p5-1\nlibc6 2.39-1\n"),
}


class Server:
    """A directory with a package manager's program and lists, and what the module says of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lists = root / "lists"
        self.lists.mkdir()

    def program(self, name: str, text: str, code: int = 0) -> None:
        """Install a program that prints the text."""
        path = self.root / name
        (self.root / "said").write_text(text)
        path.write_text(f"#!/bin/sh\ncat {self.root / 'said'}\nexit {code}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def run(self, manager: str, check: bool = False, **more: Any) -> dict[str, Any]:
        arguments = {
            "manager": manager, "directory": str(self.root / "before"),
            "installed": [str(self.root / "toxctl"), str(self.root / "bin")],
            "_ansible_check_mode": check, **more,
        }  # fmt: skip
        path = f"{self.root}:{os.environ['PATH']}"
        answer = run_module("package_state", _environment={"PATH": path}, **arguments)
        assert not answer.get("failed"), answer
        return answer


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


@pytest.mark.parametrize("manager", SAYS)
def test_installed_packages_have_their_versions(server: Server, manager: str) -> None:
    server.program(*SAYS[manager])
    packages = server.run(manager)["ansible_facts"]["packages"]
    assert sorted(packages) == ["libc6", "sudo"]
    assert packages["sudo"].startswith("1.")


@pytest.mark.parametrize("manager", ["apt", "unknown"])
def test_packages_that_cannot_be_read_are_no_fact(server: Server, manager: str) -> None:
    server.program("dpkg-query", "sudo 1 installed\n", code=1)
    assert server.run(manager, before=True)["ansible_facts"] == {}
    assert not (server.root / "before").exists()


def test_packages_of_the_time_before_are_written_down_once(server: Server) -> None:
    server.program(*SAYS["pacman"])
    written = server.root / "before/packages.json"
    assert not server.run("pacman")["changed"]
    assert server.run("pacman", check=True, before=True)["changed"]
    assert not written.exists()
    assert server.run("pacman", before=True)["changed"]
    server.program("pacman", "other 1-1\n")
    assert not server.run("pacman", before=True)["changed"]
    assert json.loads(written.read_text()) == ["libc6", "sudo"]


@pytest.mark.parametrize("installed", ["toxctl", "bin"])
def test_packages_of_a_server_that_is_set_up_already_are_not_written_down(
    server: Server, installed: str
) -> None:
    """Version 0.1 had a directory of programs in place of toxctl."""
    server.program(*SAYS["pacman"])
    (server.root / installed).touch()
    assert not server.run("pacman", before=True)["changed"]
    assert not (server.root / "before").exists()


@pytest.mark.parametrize(
    ("lists", "stamps", "current"),
    [
        ([], [], False),  # a new image
        ([], [1], False),
        ([1], [], True),
        ([DAY + 60], [], False),
        ([DAY + 60, 1], [], True),
        # The first stamp that exists decides: a mirror makes its lists when it likes.
        ([DAY + 60], [1], True),
        ([1], [DAY + 60, 1], False),
        ([1], [-400 * DAY], False),
    ],
)
def test_lists_are_current_for_a_day(
    server: Server, lists: list[int], stamps: list[int], current: bool
) -> None:
    """By the age of the files in seconds."""
    server.program(*SAYS["apt"])
    for number, age in enumerate(lists):
        aged(server.lists / f"main_{number}_Packages", age)
    existing = [aged(server.root / f"stamp{number}", age) for number, age in enumerate(stamps)]
    found = server.run(
        "apt",
        lists=f"{server.lists}/*_Packages*",
        stamps=[str(server.root / "missing"), *existing],
    )
    assert found["current"] is current


def test_a_package_manager_that_refreshes_its_own_lists_has_none(server: Server) -> None:
    server.program(*SAYS["dnf"])
    assert server.run("dnf")["current"] is False


def aged(path: Path, age: int) -> str:
    path.touch()
    os.utime(path, (time.time() - age,) * 2)
    return str(path)


@pytest.mark.skipif(python_2() is None, reason="no Python 2.7 on this machine")
def test_the_module_is_valid_python_2() -> None:
    code = "import sys; compile(open(sys.argv[1]).read(), sys.argv[1], 'exec')"
    subprocess.run([str(python_2()), "-c", code, str(MODULE)], check=True)  # noqa: S603 (fixed)
