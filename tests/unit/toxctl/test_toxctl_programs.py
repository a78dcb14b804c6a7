"""Programs that toxctl runs, and files that it writes, when something is wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from toxctl import files, programs, signals, systemd
from toxctl.errors import Interrupted, ToxctlError


def test_missing_program_is_named() -> None:
    with pytest.raises(ToxctlError, match="no-such-program is not installed: run `ansible-pl"):
        programs.run(["no-such-program"])


def test_program_that_takes_too_long_is_ended() -> None:
    with pytest.raises(ToxctlError, match=r"sleep 60 did not end within 0\.05 s: see `fab doctor`"):
        programs.run(["sleep", "60"], seconds=0.05)


def test_program_gets_no_input_and_no_directory_of_the_caller() -> None:
    done = programs.run(["sh", "-c", "pwd; cat"])
    assert (done.returncode, done.stdout) == (0, "/\n")


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT and SIGTERM raise Interrupted."""
    before = {number: signal.getsignal(number) for number in signals.ENDING}
    signals.raise_on_ending()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", signals.ENDING)
def test_program_that_is_interrupted_while_it_starts_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """Also where it works before the call that starts it has returned."""
    began, ended = tmp_path / "began", tmp_path / "ended"
    words = f"trap 'touch {ended}; exit' TERM; touch {began}; while :; do sleep 0.05; done"

    class Slow(subprocess.Popen[str]):
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            while not began.exists():
                time.sleep(0.02)
            os.kill(os.getpid(), number)

    monkeypatch.setattr(subprocess, "Popen", Slow)
    with (tmp_path / "complaints").open("w") as complaints, pytest.raises(Interrupted):
        programs.stream(["sh", "-c", words], dict(os.environ), complaints, print)
    assert ended.exists()
    assert signal.getsignal(number) is signals._interrupt


def test_last_line_says_why_a_program_failed() -> None:
    done = subprocess.CompletedProcess(["a"], 3, "out\nlast\n", "")
    assert programs.last_line(done) == "last"
    done.stderr = "error\nlast error\n"
    assert programs.last_line(done) == "last error"
    done.stdout = done.stderr = ""
    assert programs.last_line(done) == "exit code 3"


def test_answer_is_the_last_line_that_is_an_object() -> None:
    done = subprocess.CompletedProcess(["a"], 0, '{"a": 1}\n{"b": 2}\n[3]\nwords\n', "")
    assert programs.json_answer(done) == {"b": 2}
    done.stdout = "words\n"
    assert programs.json_answer(done) == {}


def test_journal_that_cannot_be_read_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert systemd.journal("a.service", 0).startswith("journalctl is not installed")


def test_file_that_cannot_be_written_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    files.write_json(str(path), {"b": 1, "a": 2})
    assert path.read_text() == '{\n  "a": 2,\n  "b": 1\n}\n'
    assert path.stat().st_mode & 0o777 == 0o644

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write_json(str(path), {})
    assert os.listdir(tmp_path) == ["a.json"]
    assert "1" in path.read_text()


def test_link_is_replaced_and_removed_in_one_step(tmp_path: Path) -> None:
    link = tmp_path / "live"
    (tmp_path / "live.toxctl").symlink_to("of-a-run-that-was-killed")
    files.point_link(str(link), "blue")
    files.point_link(str(link), "green")
    assert files.link_target(str(link)) == "green"
    assert os.listdir(tmp_path) == ["live"]
    files.point_link(str(link), None)
    files.point_link(str(link), None)
    assert files.link_target(str(link)) is None


def test_directory_that_does_not_exist_has_no_directories(tmp_path: Path) -> None:
    assert files.directories(str(tmp_path / "none")) == []


# systemctl show of systemd 219, asked about a timer.
SYSTEMCTL_219 = """#!/bin/sh
unit=$2
while [ $# -gt 0 ]; do
  if [ "$1" = -p ]; then
    case "$2" in
      ActiveState) echo ActiveState=active ;;
      SubState) echo SubState=waiting ;;
      *) case "$unit" in *.service) echo "$2=7" ;; *) exit 1 ;; esac ;;
    esac
  fi
  shift
done
"""


def test_the_state_of_a_timer_is_read_from_systemd_219(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "systemctl"
    program.write_text(SYSTEMCTL_219)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert systemd.unit_state("a.timer") == ("active", "waiting", 0, None, "")
    assert systemd.unit_state("a.service").main_pid == 7
