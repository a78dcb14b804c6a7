"""`toxctl unlock`: the session that holds the lock ends, and the audit log says by whom."""

from __future__ import annotations

import os
import signal

import pytest
from fake_server import FakeServer
from session_helper import history, session, wait_for_phase

from toxctl import deploy_lock


def test_unlock_ends_the_session_and_records_by_whom(
    serving: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploy_lock, "UNLOCK_SECONDS", 300)
    with session(serving) as one:
        one.send({"phase": "upload"})
        wait_for_phase(serving, "upload")
        done = serving.json("unlock", "--by", "bert@other")
        assert done.result["holder"]["id"] == "a1"
        assert one.read()["kind"] == "unlocked"
        assert one.process.wait() == 1
    (line,) = history(serving)
    found = (line["result"], line["reason"], line["phase"])
    assert found == ("unlocked", "by bert@other", "upload")
    assert serving.json("unlock", "--by", "bert@other").result == {"holder": None}
    assert serving.run("unlock", "--by", "bert@other").stdout == "nobody holds the lock\n"
    assert len(history(serving)) == 1
    assert "unlocked  (by bert@other)" in serving.run("history").stdout


def test_unlock_kills_a_session_that_does_not_react(
    serving: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploy_lock, "UNLOCK_SECONDS", 0.2)
    with session(serving) as one:
        kill = os.kill

        def ended(pid: int, number: int) -> None:
            """A process may take longer than that to end."""
            kill(pid, number)
            if number == signal.SIGKILL:
                one.process.wait()

        monkeypatch.setattr(deploy_lock.os, "kill", ended)
        one.process.send_signal(signal.SIGSTOP)
        done = serving.run("unlock", "--by", "bert@other")
        assert "unlocked; it was held by anna@laptop" in done.stdout
        assert one.process.wait() == -signal.SIGKILL
    assert [line["result"] for line in history(serving)] == ["unlocked"]


def test_session_ended_by_a_plain_sigterm_says_so(serving: FakeServer) -> None:
    with session(serving) as one:
        one.process.terminate()
        assert one.read()["error"] == "this attempt was unlocked by SIGTERM"
        assert one.process.wait() == 1


def test_lock_without_a_holders_name_is_not_taken(
    serving: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploy_lock.time, "sleep", lambda _: None)
    with session(serving):
        (serving.root / "deploy-lock").write_text("")
        done = serving.json("unlock", "--by", "bert@other")
        assert "does not say who holds it: see `sudo fuser -v" in done.error["error"]


def test_process_that_cannot_be_ended_is_reported(
    serving: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploy_lock, "UNLOCK_SECONDS", 0.1)
    monkeypatch.setattr(deploy_lock.os, "kill", lambda *_: None)
    with session(serving) as one:
        done = serving.json("unlock", "--by", "bert@other")
        assert f"process {one.process.pid} still holds" in done.error["error"]
        assert "rerun `fab unlock`" in done.error["error"]
    assert not (serving.root / "deploy-lock.by").exists()
