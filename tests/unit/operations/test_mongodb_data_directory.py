"""The directory of mongod's data, which uninstall.yml removes while the package stays."""

from __future__ import annotations

import getpass
from pathlib import Path

from ansible_run import run_tasks


def run(directory: Path, data: Path, *options: str) -> tuple[int, int, str]:
    """Run the tasks for the account of this test, which has a group of its name."""
    given = {"__mongodb_data_path": str(data), "__mongodb_user": getpass.getuser()}
    return run_tasks(directory, "mongodb", "data.yml", given, *options)


def test_a_lost_directory_is_made_once(tmp_path: Path):
    data = tmp_path / "mongo"
    assert run(tmp_path / "run", data, "--check")[:2] == (0, 0)
    assert not data.exists()
    status, changed, output = run(tmp_path / "run", data)
    assert (status, changed) == (0, 1), output
    assert data.owner() == getpass.getuser()
    assert data.stat().st_mode & 0o777 == 0o755
    assert run(tmp_path / "run", data)[:2] == (0, 0)


def test_one_that_is_there_stays_as_it_is(tmp_path: Path):
    data = tmp_path / "mongo"
    data.mkdir(mode=0o700)
    assert run(tmp_path / "run", data)[:2] == (0, 0)
    assert data.stat().st_mode & 0o777 == 0o700
