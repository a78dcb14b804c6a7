"""Module `package_lock`: it names the process that holds a lock, and waits for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from module_run import MODULES, run_module

MODULE = MODULES / "package_lock.py"
run = partial(run_module, "package_lock")
# Holds a record lock on its first argument until its input ends.
HOLDER = """
import fcntl, sys
with open(sys.argv[1], "w") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("locked", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(lock: Path) -> Iterator[subprocess.Popen[str]]:
    """Hold the lock in a script named unattended-upgrade."""
    script = lock.parent / "unattended-upgrade"
    script.write_text(HOLDER)
    command = [sys.executable, str(script), str(lock), "--password=secret"]
    with subprocess.Popen(  # noqa: S603 (words of the tests, no shell)
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "locked\n"
        yield process
        process.kill()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "lock-frontend"
    path.touch()
    return path


def test_a_free_or_missing_lock_has_no_holder(lock: Path):
    answer = run(record_locks=[str(lock), str(lock.parent / "missing")], timeout=60)
    assert answer["holders"] == []
    assert not answer["changed"]


def test_the_holder_is_named_by_its_script_without_its_arguments(lock: Path):
    with held(lock) as process:
        answer = run(record_locks=[str(lock)])
    (found,) = answer["holders"]
    assert (found["path"], found["pid"]) == (str(lock), process.pid)
    assert found["process"] == "unattended-upgrade"
    assert "secret" not in json.dumps(found)


def test_a_lock_that_is_released_ends_the_wait(lock: Path):
    with held(lock) as process:
        waiting = subprocess.Popen(  # noqa: S603 (words of the tests, no shell)
            [sys.executable, str(MODULE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert waiting.stdin
        arguments = {"record_locks": [str(lock)], "timeout": 600}
        waiting.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
        waiting.stdin.close()
        waiting.stdin = None
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(timeout=3)
        process.kill()
        said, _ = waiting.communicate()
    assert json.loads(said)["holders"] == []


def test_a_wait_has_an_end(lock: Path):
    with held(lock):
        assert run(record_locks=[str(lock)], timeout=1)["holders"]


@pytest.mark.parametrize("content", ["", "x\n", "99999999\n"], ids=["empty", "text", "ended"])
def test_a_lock_file_of_no_running_process_is_free(tmp_path: Path, content: str):
    file = tmp_path / "yum.pid"
    file.write_text(content)
    assert run(pid_files=[str(file)])["holders"] == []


def test_the_process_in_a_lock_file_is_named(tmp_path: Path):
    file = tmp_path / "yum.pid"
    file.write_text(f"{os.getpid()}\n")
    (found,) = run(pid_files=[str(file)])["holders"]
    assert found["pid"] == os.getpid()
    assert found["process"]


def test_a_lock_file_is_held_by_the_process_that_has_it_open(lock: Path):
    with held(lock) as process:
        (found,) = run(lock_files=[str(lock)])["holders"]
        assert (found["pid"], found["process"]) == (process.pid, "unattended-upgrade")
        assert found["left_over"] is False


def test_a_lock_file_that_nobody_has_open_is_left_over(lock: Path):
    (found,) = run(lock_files=[str(lock)])["holders"]
    assert (found["pid"], found["left_over"]) == (0, True)
    lock.unlink()
    assert run(lock_files=[str(lock)])["holders"] == []
