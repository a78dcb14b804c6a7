"""`make serve` for real: the sample model's bundle, SecantusDB, uWSGI, scores, and their end."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.local_serve import plan

CHECKOUT = Path(__file__).resolve().parents[4]
COMMAND = (sys.executable, "-m", "controller.local_serve", "--state")


class Serving:
    """`python -m controller.local_serve` as a process, and the processes that it started."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.port = plan.any_port()
        self.output = ""

    def start(self) -> None:
        self.process = subprocess.Popen(  # noqa: S603 (this interpreter)
            [*COMMAND, str(self.state)],
            cwd=CHECKOUT,
            env={**os.environ, "SERVE_PORT": str(self.port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for line in self.process.stdout:
            self.output += line
            if line.startswith("Ctrl-C ends"):
                return
        pytest.fail(f"it did not serve:\n{self.output}")

    def mine(self) -> dict[int, str]:
        """Process id and command line of all that run with this state's files or as their child."""
        found, parents = {}, {}
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                command = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                fields = (directory / "stat").read_text().rpartition(") ")[2].split()
            except (OSError, UnicodeDecodeError):
                continue
            if fields[0] != "Z":
                parents[int(directory.name)] = int(fields[1])
                if str(self.state) in command:
                    found[int(directory.name)] = command
        for pid, parent in parents.items():
            if parent in found:
                found.setdefault(pid, "a child")
        found.pop(self.process.pid, None)
        return found

    def pid_of(self, words: str) -> int:
        return min(pid for pid, command in self.mine().items() if words in command)

    def end(self) -> str:
        rest, _ = self.process.communicate(timeout=40)
        return rest


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("serve")


@pytest.fixture
def serving(state: Path) -> Iterator[Serving]:
    made = Serving(state)
    began = time.monotonic()
    made.start()
    assert time.monotonic() - began < 60
    yield made
    if made.process.poll() is None:
        made.process.terminate()
        made.process.communicate(timeout=40)


def all_ended(serving: Serving) -> bool:
    deadline = time.monotonic() + 10
    while serving.mine() and time.monotonic() < deadline:
        time.sleep(0.05)
    with socket.socket() as probe:
        return not serving.mine() and probe.connect_ex(("127.0.0.1", serving.port)) != 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_scores_are_shown_and_served_until_a_signal_ends_all_of_it(serving, number):
    assert "14 golden outputs match" in serving.output
    rows = re.findall(r"^ +0\.\d{3} .*", serving.output, re.MULTILINE)
    assert len(rows) == 5
    address = f"http://127.0.0.1:{serving.port}/predict"
    curl = """curl -d '{"text": "have a nice day"}' -H 'Content-Type: application/json' """
    assert curl + address in serving.output
    request = urllib.request.Request(
        address, b'{"text": "You idiot"}', {"Content-Type": "application/json"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as answer:
        assert json.load(answer)["scores"]["toxic"] > 0.5
    assert len(serving.mine()) == 3, "database, uWSGI's master and its worker"
    serving.process.send_signal(number)
    assert "all of it has ended" in serving.end()
    assert serving.process.returncode == 0
    assert all_ended(serving)


@pytest.mark.parametrize(
    ("words", "name"), [("secantusd-rs", "the database"), ("uwsgi.ini", "the app")]
)
def test_a_crash_of_one_process_ends_the_other_with_a_clear_line(serving, words, name):
    os.kill(serving.pid_of(words), signal.SIGKILL)
    assert f"serve: {name} ended by itself (killed by SIGKILL): see " in serving.end()
    assert serving.process.returncode == 1
    assert all_ended(serving)


def test_one_state_is_served_once_and_the_second_is_told_where(serving, state):
    second = subprocess.run(  # noqa: S603 (this interpreter)
        [*COMMAND, str(state)], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert second.returncode == 1
    assert second.stderr.startswith(
        f"serve: this checkout is served already (http://127.0.0.1:{serving.port}, process "
    )
    assert serving.process.poll() is None


def test_a_taken_port_that_was_asked_for_is_one_line_and_starts_nothing(state, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(  # noqa: S603 (this interpreter)
            [*COMMAND, str(tmp_path)],
            cwd=CHECKOUT,
            env={**os.environ, "SERVE_PORT": str(port)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == (
        f"serve: port {port} on 127.0.0.1 is taken: set SERVE_PORT to another one, "
        "or leave it out\n"
    )
    assert done.stdout == ""
