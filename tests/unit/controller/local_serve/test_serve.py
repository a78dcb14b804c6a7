"""`make serve` in full: the sample model's bundle, SecantusDB, uWSGI, scores, and the stop."""

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
from free_ports import free_port

CHECKOUT = Path(__file__).resolve().parents[4]
COMMAND = (sys.executable, "-m", "controller.local_serve", "--state")


class Serving:
    """`python -m controller.local_serve` as a process, and the processes that it started."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.port = free_port()
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
            if line.startswith("Press Ctrl-C"):
                return
        pytest.fail(f"it did not serve:\n{self.output}")

    def processes(self) -> dict[int, str]:
        """Id and command line of the processes with this state's files, and of their children."""
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
        return min(pid for pid, command in self.processes().items() if words in command)

    def stop(self) -> str:
        rest, _ = self.process.communicate(timeout=300)
        return rest


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("serve")


@pytest.fixture
def serving(state: Path) -> Iterator[Serving]:
    made = Serving(state)
    try:
        made.start()
        yield made
    finally:
        made.process.terminate()
        made.process.communicate(timeout=300)


def all_stopped(serving: Serving) -> bool:
    deadline = time.monotonic() + 300
    while serving.processes() and time.monotonic() < deadline:
        time.sleep(0.05)
    with socket.socket() as probe:
        return not serving.processes() and probe.connect_ex(("127.0.0.1", serving.port)) != 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_scores_are_shown_and_served_until_a_signal_stops_every_process(serving, number):
    assert "28 golden outputs match" in serving.output
    rows = re.findall(r"^ +0\.\d{3} .*", serving.output, re.MULTILINE)
    assert len(rows) == 5
    address = f"http://127.0.0.1:{serving.port}/predict"
    curl = """curl -d '{"text": "have a nice day"}' -H 'Content-Type: application/json' """
    assert curl + address in serving.output
    request = urllib.request.Request(
        address, b'{"text": "You idiot"}', {"Content-Type": "application/json"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=300) as answer:
        assert json.load(answer)["scores"]["toxic"] > 0.5
    assert len(serving.processes()) == 3, "database, uWSGI's master and its worker"
    serving.process.send_signal(number)
    assert "all processes have stopped" in serving.stop()
    assert serving.process.returncode == 0
    assert all_stopped(serving)


@pytest.mark.parametrize(
    ("words", "name"), [("secantusd-rs", "the database"), ("uwsgi.ini", "the app")]
)
def test_crash_of_one_process_stops_the_other_with_a_one_line_error(serving, words, name):
    os.kill(serving.pid_of(words), signal.SIGKILL)
    assert f"serve: {name} exited unexpectedly (killed by SIGKILL): see " in serving.stop()
    assert serving.process.returncode == 1
    assert all_stopped(serving)


def test_second_service_of_one_state_is_refused_with_the_address_of_the_first(serving, state):
    second = subprocess.run(  # noqa: S603 (this interpreter)
        [*COMMAND, str(state)], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert second.returncode == 1
    assert second.stderr.startswith(
        f"serve: this checkout is served already (http://127.0.0.1:{serving.port}, process "
    )
    assert serving.process.poll() is None


def test_two_checkouts_that_start_at_once_serve_on_two_ports(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "SERVE_PORT"}
    started = [
        subprocess.Popen(  # noqa: S603 (this interpreter)
            [*COMMAND, str(tmp_path / name)],
            cwd=CHECKOUT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name in ("a checkout", "another")
    ]
    try:
        outputs = []
        for process in started:
            lines = []
            for line in process.stdout:
                lines.append(line)
                if line.startswith("Press Ctrl-C"):
                    break
            outputs.append("".join(lines))
        urls = [re.search(r"The service runs at (\S+)", output) for output in outputs]
        assert all(urls), outputs
        assert urls[0][1] != urls[1][1]
        assert [process.poll() for process in started] == [None, None]
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.communicate(timeout=300)


def test_requested_port_in_use_is_a_one_line_error_and_starts_nothing(state, tmp_path):
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        used.listen()
        port = used.getsockname()[1]
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
        f"serve: port {port} on 127.0.0.1 is in use: set SERVE_PORT to another port, or unset it\n"
    )
    assert done.stdout == ""
