"""`toxctl balancer`: an app host is out while a deploy runs, and always comes back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from fake_haproxy import FakeHaproxy

from toxctl import balancer
from toxctl.balancer import Haproxy
from toxctl.errors import ToxctlError

SERVER = Path(__file__).resolve().parents[3] / "server"
HANG_SECONDS = 300


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def haproxy(tmp_path: Path) -> Iterator[FakeHaproxy]:
    fake = FakeHaproxy(tmp_path / "admin.sock", "app1", "app2.example.org")
    yield fake
    fake.close()


@pytest.fixture
def start(haproxy: FakeHaproxy) -> Iterator[Start]:
    """Start `toxctl balancer` with its standard input open; end it after the test."""
    begin = [sys.executable, "-m", "toxctl", "--json", "balancer", "--socket", str(haproxy.path)]
    with ExitStack() as running:

        def started(*words: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(  # noqa: S603 (the program under test)
                [*begin, *words],
                env={**os.environ, "PYTHONPATH": str(SERVER)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            running.enter_context(process)
            running.callback(process.kill)
            return process

        yield started


def answers(process: subprocess.Popen[str]) -> list[dict[str, object]]:
    """Close its standard input, wait, and return its lines."""
    stdout, stderr = process.communicate(timeout=HANG_SECONDS)
    assert stderr == ""
    return [json.loads(line) for line in stdout.splitlines()]


def test_the_status_shows_each_app_host(haproxy, start):
    haproxy.hosts["app1"] = ["DOWN 1/2", 3, False]
    (answer,) = answers(start("status"))
    assert answer["result"] == {
        "hosts": [
            {
                "name": "app1",
                "status": "DOWN 1/2",
                "check": "L7STS/503",
                "sessions": 3,
                "serves": False,
            },
            {
                "name": "app2.example.org",
                "status": "UP",
                "check": "L7OK/200",
                "sessions": 0,
                "serves": True,
            },
        ]
    }


def test_a_host_is_out_until_standard_input_ends(haproxy, start):
    haproxy.hosts["app1"][1] = 3  # requests that run: each look finds one less
    process = start("hold-out", "app1")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline()) == {"result": {"taken_out": True}}
    assert haproxy.hosts["app1"][:2] == ["DRAIN", 0]
    (last,) = answers(process)
    assert last["result"]["taken_out"] is True
    assert haproxy.hosts["app1"][0] == "UP"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_puts_the_host_back(haproxy, start, number):
    process = start("hold-out", "app1")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(number)
    assert process.wait(HANG_SECONDS) == 0
    process.communicate()
    assert haproxy.hosts["app1"][0] == "UP"


def test_a_lost_terminal_does_not_end_it_before_its_input_does(haproxy, start):
    process = start("hold-out", "app1")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    answers(process)
    assert process.returncode == 0
    assert haproxy.asked[-2:] == ["set server app/app1 state ready", "show stat"]


def test_the_last_host_that_serves_stays_in(haproxy, start):
    haproxy.hosts["app2.example.org"] = ["DOWN", 0, False]
    said, state, last = answers(start("hold-out", "app1"))
    assert "no other app host serves" in str(said["say"])
    assert state == {"result": {"taken_out": False}}
    assert last["result"]["taken_out"] is False
    assert not [command for command in haproxy.asked if command.startswith("set")]


def test_a_host_that_fails_its_check_is_given_back_and_reported(haproxy, monkeypatch):
    monkeypatch.setattr(balancer, "READY_SECONDS", 0.0)
    haproxy.hosts["app1"][2] = False
    with pytest.raises(ToxctlError, match="does not pass the balancer's health check") as caught:
        balancer.put_back(Haproxy(str(haproxy.path)), "app1")
    assert "L7STS/503" in str(caught.value)
    assert "`fab doctor --limit app1`" in str(caught.value)
    assert "set server app/app1 state ready" in haproxy.asked


def test_requests_that_do_not_end_are_told_and_no_reason_to_wait_for_ever(
    haproxy, monkeypatch, capsys
):
    monkeypatch.setattr(balancer, "DRAIN_SECONDS", 0.0)
    monkeypatch.setattr(balancer, "_wait_for_end", lambda _state: None)
    for name in ("ignore_hangup", "raise_on_ending", "ignore_ending"):  # not of this process
        monkeypatch.setattr(balancer.signals, name, lambda: None)
    haproxy.hosts["app1"][1] = 1000
    found = balancer.hold_out(Haproxy(str(haproxy.path)), "app1")
    assert found["serves"]
    assert "app1 still answers" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["hold-out", "ready"])
def test_an_unknown_host_changes_nothing(haproxy, start, verb):
    (answer,) = answers(start(verb, "app3"))
    assert "does not know app host app3 (it has: app1, app2.example.org)" in str(answer["error"])
    assert answer["kind"] == "balancer"
    assert haproxy.asked == ["show stat"]


def test_without_haproxy_the_next_command_is_named(tmp_path):
    with pytest.raises(ToxctlError, match=r"`ansible-playbook site[.]yml --tags balancer`"):
        Haproxy(str(tmp_path / "admin.sock")).hosts()


def test_a_refusal_of_haproxy_is_reported(haproxy):
    with pytest.raises(ToxctlError, match="refuses to set app9 to drain: No such server"):
        Haproxy(str(haproxy.path)).set_state("app9", "drain")
