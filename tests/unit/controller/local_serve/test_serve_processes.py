"""Processes that run and stop together."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from controller.local_serve import ServeError
from controller.local_serve.processes import Group, Stopped, raise_stopped

STAY = "import time; time.sleep(600)"
# A child in the same process group that ignores SIGTERM, like a worker that hangs.
WITH_STUBBORN_CHILD = (
    "import signal, subprocess, sys, time; "
    "child = subprocess.Popen([sys.executable, '-c', "
    "'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    'print("ready", flush=True); time.sleep(600)\']); '
    "print(child.pid, flush=True); time.sleep(600)"
)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def is_alive(pid: int) -> bool:
    try:
        return not re.search(r"\) Z ", Path(f"/proc/{pid}/stat").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def wait_for_lines(log: Path, count: int) -> str:
    wait_until(lambda: log.exists() and log.read_text().count("\n") == count)
    return log.read_text()


def test_leaving_the_block_stops_every_process_and_its_children(tmp_path):
    log = tmp_path / "log/one.log"
    with Group() as group:
        one = group.start("one", python(WITH_STUBBORN_CHILD), log, os.environ)
        other = group.start("other", python(STAY), tmp_path / "log/other.log", os.environ)
        # "ready" of the child and its id from its parent, in any order.
        child = int(re.search(r"\d+", wait_for_lines(log, 2)).group())
        assert all(map(is_alive, (one.process.pid, other.process.pid, child)))
    wait_until(lambda: not any(map(is_alive, (one.process.pid, other.process.pid, child))))


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("print('no room'); raise SystemExit(7)", r"exit code 7\): see .*log\n  no room$"),
        ("import os; os.kill(os.getpid(), 9)", r"killed by SIGKILL\)"),
        ("pass", r"exit code 0\)"),
    ],
)
def test_exit_of_one_is_an_error_with_its_last_lines_and_stops_the_other(tmp_path, code, how):
    with Group() as group:
        other = group.start("the database", python(STAY), tmp_path / "other.log", os.environ)
        group.start("the app", python(code), tmp_path / "app.log", os.environ)
        with pytest.raises(ServeError, match=rf"the app exited unexpectedly \({how}"):
            group.watch()
    assert not is_alive(other.process.pid)


def test_step_that_finishes_is_waited_for_and_its_failure_is_an_error(tmp_path):
    with Group() as group:
        group.finish(group.start("step", python("print(1)"), tmp_path / "a.log", os.environ))
        assert (tmp_path / "a.log").read_text() == "1\n"
        group.check()
        failing = group.start("step", python("raise SystemExit(1)"), tmp_path / "b.log", os.environ)
        with pytest.raises(ServeError, match="step exited unexpectedly"):
            group.finish(failing)


def test_step_is_stopped_if_a_process_it_needs_exits(tmp_path):
    with Group() as group:
        group.start("the database", python("raise SystemExit(1)"), tmp_path / "a.log", os.environ)
        step = group.start("step", python(STAY), tmp_path / "b.log", os.environ)
        with pytest.raises(ServeError, match="the database exited unexpectedly"):
            group.finish(step)
    assert not is_alive(step.process.pid)


def test_missing_program_is_a_one_line_error(tmp_path):
    with (
        Group() as group,
        pytest.raises(ServeError, match="the app cannot be started: /no/such: No such file"),
    ):
        group.start("the app", ["/no/such"], tmp_path / "app.log", os.environ)


def test_signal_unwinds_and_children_receive_their_own(tmp_path, monkeypatch):
    watching = threading.Event()

    def stop() -> None:
        watching.wait()
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, raise_stopped)
    try:
        with Group() as group:
            # Signals are not blocked in the child: SIGTERM stops it, SIGKILL is not needed.
            child = group.start("one", python(STAY), tmp_path / "one.log", os.environ)
            monkeypatch.setattr(group, "check", watching.set)
            threading.Thread(target=stop, daemon=True).start()
            with pytest.raises(Stopped) as end:
                group.watch()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert end.value.number == signal.SIGTERM
    assert child.process.returncode == -signal.SIGTERM


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux stops children of a killed process")
def test_no_process_is_left_behind_when_this_process_is_killed(tmp_path):
    code = (
        "import os, sys; from pathlib import Path\n"
        "from controller.local_serve.processes import Group\n"
        "with Group() as group:\n"
        f" command = [sys.executable, '-c', {STAY!r}]\n"
        " one = group.start('one', command, Path('one.log'), os.environ)\n"
        " print(one.process.pid, flush=True)\n"
        " group.watch()"
    )
    with subprocess.Popen(  # noqa: S603 (this interpreter)
        python(code), cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as parent:
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.kill()
        parent.wait()
        wait_until(lambda: not is_alive(child))
