"""`toxctl session`: the lock and the audit line of an attempt, whatever becomes of the laptop."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from typing import Any

import pytest
from fake_server import FakeServer
from session_helper import history, holder, session, wait_for_phase


def test_attempt_ends_as_a_line_of_the_audit_log(serving: FakeServer) -> None:
    with session(serving) as one:
        assert one.first == {"result": {"id": "a1"}}
        one.send({"phase": "prepare"})
        one.send({"note": {"hashes": {"head.onnx": "ab"}, "sent_bytes": 3}})
        one.send({"phase": "upload"})
        one.send({})
        one.send({"end": {"result": "done", "reason": None}})
        assert one.read() == {"result": {}}
        assert one.process.wait() == 0
    (line,) = history(serving)
    live = {"app": str(serving.root / "apps/1.0"), "model": str(serving.models["one"].path)}
    assert line["from"] == line["to"] == live
    assert (line["id"], line["task"], line["who"]) == ("a1", "deploy-model", "anna@laptop")
    assert (line["login"], line["result"], line["phase"]) == ("anna", "done", "upload")
    assert (line["hashes"], line["sent_bytes"]) == ({"head.onnx": "ab"}, 3)
    assert list(line["phases"]) == ["prepare", "upload"]
    assert holder(serving) is None


def test_session_in_this_process_reads_its_lines_from_standard_input(serving: FakeServer) -> None:
    lines = [
        {"id": "a1", "task": "deploy-app", "who": "anna@laptop"},
        {"phase": "upload"},
        {"end": {"result": "failed", "reason": "no luck"}},
    ]
    done = serving.run("session", stdin="".join(json.dumps(line) + "\n" for line in lines))
    assert done.returncode == 0
    assert done.stdout == "holding the lock for deploy-app\nthe attempt has ended\n"
    (line,) = history(serving)
    assert (line["result"], line["reason"], line["to"]) == ("failed", "no luck", None)


def test_second_laptop_reads_who_holds_the_lock_and_since_when(serving: FakeServer) -> None:
    with session(serving) as one:
        one.send({"phase": "upload"})
        wait_for_phase(serving, "upload")
        with session(serving, "b1", "bert@other") as two:
            assert two.process.wait() == 1
            assert two.first["kind"] == "locked"
            assert "locked by anna@laptop with deploy-model since 2" in two.first["error"]
            assert "phase upload" in two.first["error"]
            assert two.first["holder"]["id"] == "a1"
            assert "so_far" not in two.first["holder"]
        found = holder(serving)
        assert found is not None
        assert found["pid"] == one.process.pid
        assert "held by anna@laptop with deploy-model" in serving.run("lock").stdout
        status = serving.run("status", "--quick")
        assert "deploy lock: held by anna@laptop" in status.stdout
    assert serving.run("lock").stdout == "free\n"


def test_silent_holder_is_reported_as_silent(serving: FakeServer) -> None:
    with session(serving):
        path = serving.root / "deploy-lock"
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, "seen": time.time() - 60}))
        with session(serving, "b1") as two:
            assert re.search(r"no heartbeat for \d+ s\b", two.first["error"])
            assert two.first["holder"]["silent"] >= 60


def test_laptop_that_goes_away_is_noted_with_what_is_live(serving: FakeServer) -> None:
    with session(serving) as one:
        one.send({"phase": "verify"})
        _, err = one.process.communicate()
        assert (one.process.returncode, err) == (0, "")
    (line,) = history(serving)
    assert (line["result"], line["phase"]) == ("interrupted", "verify")
    assert "the connection to the laptop was lost in phase verify" in line["reason"]
    assert line["live"]["model"] == str(serving.models["one"].path)


def test_line_without_its_end_belongs_to_a_lost_connection(serving: FakeServer) -> None:
    first = json.dumps({"id": "a1", "task": "deploy-app", "who": "anna@laptop"})
    serving.json("session")
    done = serving.run("--json", "session", stdin=f'{first}\n{{"end": {{"result": "done"}}}}')
    assert done.returncode == 0
    assert history(serving)[0]["result"] == "interrupted"


def test_hangup_does_not_end_a_session(serving: FakeServer) -> None:
    with session(serving) as one:
        one.process.send_signal(signal.SIGHUP)
        one.send({"end": {"result": "nothing", "reason": None}})
        assert one.process.wait() == 0
    assert history(serving)[0]["result"] == "nothing"


def test_laptop_gone_during_the_switch_keeps_the_lock_until_the_switch_has_ended(
    serving: FakeServer,
) -> None:
    two = serving.model("two", ready=(502, "not yet"))
    with session(serving) as one:
        arguments = ("activate", "--model", str(two.path), "--watch", "0.1")
        with serving.start(*arguments) as activation:
            while "start --no-block tox_com_det@green.service" not in serving.log():
                time.sleep(0.02)
            one.hang_up()
            found = holder(serving)
            assert found is not None
            assert found["id"] == "a1"
            done = serving.json("unlock", "--by", "bert@other")
            assert done.error["kind"] == "activating"
            assert "undo it with `sudo toxctl stop` on the server" in done.error["error"]
            two.ready = None
            activation.communicate()
        assert one.process.wait(timeout=300) == 0
    (line,) = history(serving)
    assert line["live"]["model"] == str(two.path)


@pytest.mark.parametrize("reboot", [False, True])
def test_session_that_was_killed_is_recorded_by_the_next(serving: FakeServer, reboot: bool) -> None:
    with session(serving) as one:
        one.send({"phase": "upload"})
        wait_for_phase(serving, "upload")
        one.process.kill()
        one.process.wait()
    if reboot:
        os.unlink(serving.config["deploy_lock_file"])  # /run is empty then
    assert history(serving) == []
    with session(serving, "b1") as two:
        two.send({"end": {"result": "failed", "reason": "no luck"}})
        two.process.wait()
    newest, oldest = history(serving)
    assert (oldest["id"], oldest["result"], oldest["phase"]) == ("a1", "cut off", "upload")
    assert (newest["id"], newest["reason"]) == ("b1", "no luck")


@pytest.mark.parametrize(
    "message", [[1], {"pahse": "upload"}, {"end": {"result": "well"}}], ids=str
)
def test_invalid_line_ends_the_session(serving: FakeServer, message: Any) -> None:
    with session(serving) as one:
        one.send(message)
        assert one.process.wait() == 0
    assert history(serving)[0]["result"] == "interrupted"


@pytest.mark.parametrize("stdin", ["", "{}\n", "no JSON\n", '{"id": 1}\n'])
def test_session_needs_a_first_line_that_says_who(serving: FakeServer, stdin: str) -> None:
    done = serving.run("--json", "session", stdin=stdin)
    assert done.error["kind"] == "usage"
    assert history(serving) == []
