"""`toxctl activate` and `recover`: killed, interrupted and locked, a model stays live."""

from __future__ import annotations

import json
import signal
import time
from typing import IO

import pytest
from fake_server import FakeServer

from toxctl import probe
from toxctl.errors import Interrupted


def out(process: object) -> IO[str]:
    stdout = getattr(process, "stdout", None)
    assert stdout is not None
    return stdout


@pytest.mark.parametrize(
    "moment",
    [
        "stop tox_com_det@green",
        "reset-failed",
        "start",
        "show",
        "enable",
        "is-enabled tox_com_det@green",
        "disable tox_com_det@blue",
        "stop tox_com_det@blue",
    ],
)
def test_killed_at_any_step_a_model_is_live_and_the_next_run_completes(
    serving: FakeServer, moment: str
) -> None:
    two = serving.model("two")
    serving.switch("die", moment)
    assert serving.activate_apart("--model", str(two.path)).returncode == -signal.SIGKILL
    assert serving.live_model() in ("one", "two")
    assert serving.live() in serving.enabled(), "a reboot here would bring up nothing"
    done = serving.activate("--model", str(two.path))
    assert done.returncode == 0, done.stderr
    assert serving.live_model() == "two"
    assert serving.running() == serving.enabled() == [serving.live()]


def test_killed_between_switch_and_confirm_the_next_run_completes(serving: FakeServer) -> None:
    two = serving.model("two", kills_caller_when_live=True)
    assert serving.activate_apart("--model", str(two.path)).returncode == -signal.SIGKILL
    assert sorted(serving.enabled()) == ["blue", "green"]
    two.kills_caller_when_live = False
    done = serving.activate("--model", str(two.path))
    assert done.returncode == 0, done.stderr
    assert "an activation was interrupted: back to slot blue" in done.stdout
    assert "blue: stopped and disabled" in done.stdout
    assert serving.running() == serving.enabled() == ["green"]


@pytest.mark.parametrize("boot", [False, True])
def test_killed_between_switch_and_confirm_recover_returns_to_what_is_confirmed(
    serving: FakeServer, boot: bool
) -> None:
    two = serving.model("two", kills_caller_when_live=True)
    serving.activate_apart("--model", str(two.path))
    assert serving.json("status").result["unfinished"] is True
    assert "`toxctl recover`" in serving.run("status").stdout
    serving.unswitch("log")
    done = serving.json("recover", *["--boot"] * boot)
    assert done.result == {"changed": True}
    assert serving.live_model() == "one"
    assert serving.running() == serving.enabled() == ["blue"]
    assert ("stop --no-block tox_com_det@green.service" in serving.log()) is boot
    report = serving.json("status").result
    assert (report["unfinished"], report["confirmed"]) == (False, serving.confirmed())
    assert serving.run("recover").stdout == "nothing to recover\n"
    assert serving.json("recover").result == {"changed": False}


def test_recover_starts_the_confirmed_slot_if_it_does_not_run(serving: FakeServer) -> None:
    two = serving.model("two", kills_caller_when_live=True)
    serving.activate_apart("--model", str(two.path))
    two.kills_caller_when_live = False
    serving.set_unit("blue", "active", "inactive")
    serving.unswitch("log")
    assert serving.run("recover").returncode == 0
    assert (serving.live_model(), serving.running()) == ("one", ["blue"])
    log = serving.log()
    # The candidate answers until the old slot is ready.
    assert log.index("start --no-block tox_com_det@blue.service") < log.index(
        "stop tox_com_det@green.service"
    )


def test_recover_goes_on_if_the_confirmed_slot_does_not_answer(serving: FakeServer) -> None:
    two = serving.model("two", kills_caller_when_live=True)
    serving.activate_apart("--model", str(two.path))
    two.kills_caller_when_live = False
    serving.set_unit("blue", "active", "inactive")
    serving.switch("start-fails")
    done = serving.run("recover")
    assert "blue: slot blue: it ended and systemd is about to start it again" in done.stdout
    assert serving.live() == "blue"
    assert serving.enabled() == ["blue"]


def test_power_cut_after_confirm_brings_up_the_confirmed_slot(serving: FakeServer) -> None:
    serving.set_unit("blue", "enabled", "disabled")
    serving.set_unit("blue", "active", "inactive")
    serving.set_unit("green", "enabled", "enabled")
    (serving.root / "slots/blue.json").write_text("{}")
    assert serving.run("recover", "--boot").returncode == 0
    assert serving.enabled() == ["blue"]
    assert serving.live_model() == "one"


def test_requested_to_stop_the_activation_returns_to_the_old_slot(serving: FakeServer) -> None:
    two = serving.model("two")
    arguments = ("--json", "activate", "--model", str(two.path), "--watch", "300")
    with serving.start(*arguments) as process:
        for line in out(process):
            if json.loads(line) == {"phase": "watch"}:
                break
        # Both run while the new one is watched.
        assert serving.live_model() == "two"
        assert serving.running() == ["blue", "green"]
        assert serving.json("stop").result == {"pid": process.pid}
        last = json.loads(out(process).read().splitlines()[-1])
    assert process.returncode == 1
    assert "interrupted by SIGTERM" in last["error"]
    assert last["kind"] == "interrupted"
    assert last["back_seconds"] >= 0
    assert "journal of tox_com_det@green.service" in last["details"]
    assert (serving.live_model(), serving.enabled()) == ("one", ["blue"])
    assert serving.run("stop").stdout == "no activation is running\n"
    assert serving.json("stop").result == {"pid": None}


def test_interrupted_while_the_candidate_starts_it_cleans_up(serving: FakeServer) -> None:
    slow = serving.model("slow", ready=(502, "not yet"))
    process = serving.start("activate", "--model", str(slow.path), "--deadline", "300")
    while "start --no-block tox_com_det@green.service" not in serving.log():
        time.sleep(0.02)
    process.terminate()
    _, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "interrupted by SIGTERM" in err
    assert serving.running() == ["blue"]


def test_interruption_does_not_count_as_a_missing_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise Interrupted("interrupted by SIGTERM")

    monkeypatch.setattr(probe.OPENER, "open", interrupted)
    with pytest.raises(Interrupted):
        probe.ask("http://127.0.0.1:9/readyz")


def test_laptop_that_goes_away_does_not_stop_the_switch(serving: FakeServer) -> None:
    two = serving.model("two")
    process = serving.start("activate", "--model", str(two.path), "--watch", "0.3")
    out(process).close()
    assert process.stderr is not None
    process.stderr.close()
    while not serving.log():
        time.sleep(0.02)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=300) == 0
    assert serving.live_model() == "two"
    assert serving.running() == ["green"]


def test_second_activation_is_refused_with_the_name_of_the_first(serving: FakeServer) -> None:
    slow = serving.model("slow", ready=(502, "not yet"))
    with serving.start("activate", "--model", str(slow.path), "--deadline", "300") as process:
        while not serving.log():
            time.sleep(0.02)
        second = serving.activate("--model", str(serving.models["one"].path))
        assert second.returncode == 1
        assert f"another activation is running (by anna, pid {process.pid}" in second.stderr
        as_json = serving.activate("--model", "one", json=True)
        assert (as_json.error["kind"], as_json.error["back_seconds"]) == ("activating", None)
        assert f"pid {process.pid}" in serving.run("status", "--quick").stdout
        assert serving.json("status", "--quick").result["activation"]["who"] == "anna"
        process.terminate()
        process.communicate(timeout=300)
    assert "is running" not in serving.run("status", "--quick").stdout
    assert serving.activate("--model", str(serving.models["one"].path)).returncode == 0


def test_lock_of_a_killed_run_stops_nobody(serving: FakeServer) -> None:
    serving.switch("die", "start")
    serving.activate_apart("--model", str(serving.model("two").path))
    assert serving.json("status").result["activation"] is None
    assert serving.activate().returncode == 0
