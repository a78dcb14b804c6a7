"""The slot tool, run for real against a fake systemd and a fake nginx."""

from __future__ import annotations

import json
import os
import signal
import time
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

import pytest
from fake_server import SLOTCTL, FakeServer

loader = SourceFileLoader("slotctl", str(SLOTCTL))
slotctl = module_from_spec(spec_from_loader("slotctl", loader))
loader.exec_module(slotctl)


def test_first_activation_makes_a_slot_live(server: FakeServer) -> None:
    done = server.activate("--model", str(server.model("one").path), "--json")
    assert done.returncode == 0, done.stderr
    assert server.live() == "blue"
    assert (server.running(), server.enabled()) == (["blue"], ["blue"])
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["changed"] is True
    assert result["model_version"] == "one"


def test_good_candidate_takes_over_in_the_other_slot(serving: FakeServer) -> None:
    done = serving.activate("--model", str(serving.model("two").path))
    assert done.returncode == 0, done.stderr
    assert serving.live() == "green"
    assert serving.live_model() == "two"
    assert (serving.running(), serving.enabled()) == (["green"], ["green"])
    for words in ("green: starting model two", "2 known answers come out", "blue: stopped"):
        assert words in done.stdout


def test_candidate_is_enabled_before_the_flip_and_the_old_one_stopped_last(
    serving: FakeServer,
) -> None:
    serving.activate("--model", str(serving.model("two").path))
    effects = [line for line in serving.log() if line.split()[0] not in ("show", "is-enabled")]
    assert effects == [
        "stop tox_com_det@green.service",
        "reset-failed tox_com_det@green.service",
        "start --no-block tox_com_det@green.service",
        "enable tox_com_det@green.service",
        "disable tox_com_det@blue.service",
        "stop tox_com_det@blue.service",
        "reset-failed tox_com_det@blue.service",
    ]


def test_what_is_live_already_is_nothing_to_do(serving: FakeServer) -> None:
    done = serving.activate("--model", str(serving.models["one"].path), "--json")
    assert done.returncode == 0
    assert "nothing to do" in done.stdout
    assert json.loads(done.stdout.splitlines()[-1])["changed"] is False
    assert not [line for line in serving.log() if line.split()[0] in ("start", "stop", "enable")]


def test_forced_the_same_release_comes_up_again_with_new_settings(serving: FakeServer) -> None:
    done = serving.activate("--force")
    assert done.returncode == 0, done.stderr
    assert (serving.live(), serving.live_model()) == ("green", "one")
    assert serving.running() == ["green"]


def test_new_app_release_is_activated_with_the_live_model(serving: FakeServer) -> None:
    serving.app("2.0")
    done = serving.activate()
    assert done.returncode == 0, done.stderr
    assert (serving.live(), serving.live_model()) == ("green", "one")
    assert json.loads((serving.root / "slots/green.json").read_text())["app"].endswith("2.0")


def test_without_a_live_model_the_model_has_to_be_named(server: FakeServer) -> None:
    done = server.activate()
    assert done.returncode == 1
    assert "fab deploy-model" in done.stderr
    assert server.activate("--if-live").returncode == 0


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ({"answer": {"toxic": 0.5, "obscene": 0.25}}, "toxic of 'idiot' is 0.500000"),
        ({"answer": {"toxic": float("nan"), "obscene": 0.25}}, "is nan, not a number"),
        ({"answer": {"toxic": 0.9}}, "other labels"),
        ({"ready": (200, {"status": "ready", "model": "other"})}, "another model"),
        ({"ready": (503, {"checks": {"collection": "gone"}})}, "gone"),
        ({"dies_when_live": True}, "after the flip"),
    ],
    ids=["wrong", "nan", "labels", "other-model", "not-ready", "dies-after-flip"],
)
def test_bad_candidate_leaves_the_live_slot_serving(
    serving: FakeServer, behaviour: dict, words: str
) -> None:
    done = serving.activate("--model", str(serving.model("bad", **behaviour).path), deadline="1")
    assert done.returncode == 1
    assert done.stderr.startswith("slotctl: not activated: ")
    assert words in done.stderr.splitlines()[0]
    assert (serving.live(), serving.live_model()) == ("blue", "one")
    assert (serving.running(), serving.enabled()) == (["blue"], ["blue"])
    # "Failed to become healthy" with no reason: the journal belongs to the message.
    assert "journal of tox_com_det@green.service: the last words" in done.stderr
    good = serving.activate("--model", str(serving.model("good").path))
    assert good.returncode == 0, good.stderr
    assert serving.live_model() == "good"


def test_failed_unit_is_given_up_long_before_the_deadline(serving: FakeServer) -> None:
    serving.switch("start-fails")
    begin = time.monotonic()
    done = serving.activate("--model", str(serving.model("two").path), deadline="20")
    assert time.monotonic() - begin < 5
    assert done.returncode == 1
    assert "about to start it again" in done.stderr
    # Restart=always would try it for ever.
    assert serving.running() == ["blue"]
    assert serving.unit("green", "active") == "inactive"


def test_lasting_fault_of_a_candidate_is_given_up_at_once_with_the_last_journal_lines(
    serving: FakeServer,
) -> None:
    (serving.root / "bin" / "journalctl").write_text("#!/bin/sh\nseq 200\n")
    wrong = (503, {"checks": {"manifest": "ok", "known_answers": "toxic is 0.8, wanted 0.1"}})
    begin = time.monotonic()
    done = serving.activate("--model", str(serving.model("bad", ready=wrong).path), deadline="20")
    assert time.monotonic() - begin < 5
    assert "toxic is 0.8, wanted 0.1" in done.stderr
    assert done.stderr.splitlines()[-50:] == [str(number) for number in range(151, 201)]


def test_failed_first_activation_leaves_nothing_live(server: FakeServer) -> None:
    done = server.activate("--model", str(server.model("bad", dies_when_live=True).path))
    assert done.returncode == 1
    assert "nothing is live, as before" in done.stderr
    assert server.live() is None
    assert (server.running(), server.enabled()) == ([], [])


def test_enable_that_fails_stops_the_candidate_before_the_flip(serving: FakeServer) -> None:
    serving.switch("fail", "enable")
    done = serving.activate("--model", str(serving.model("two").path))
    assert done.returncode == 1
    assert "no luck" in done.stderr
    assert serving.live_model() == "one"
    assert serving.running() == ["blue"]


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
def test_killed_at_any_step_a_model_serves_and_the_next_run_completes(
    serving: FakeServer, moment: str
) -> None:
    two = serving.model("two")
    serving.switch("die", moment)
    assert serving.activate("--model", str(two.path)).returncode == -signal.SIGKILL
    assert serving.live_model() in ("one", "two")
    assert serving.live() in serving.enabled(), "a reboot here would bring up nothing"
    done = serving.activate("--model", str(two.path))
    assert done.returncode == 0, done.stderr
    assert serving.live_model() == "two"
    assert serving.running() == serving.enabled() == [serving.live()]


def test_killed_between_flip_and_confirm_the_next_run_completes(serving: FakeServer) -> None:
    two = serving.model("two", kills_caller_when_live=True)
    assert serving.activate("--model", str(two.path)).returncode == -signal.SIGKILL
    assert sorted(serving.enabled()) == ["blue", "green"]
    two.kills_caller_when_live = False
    done = serving.activate("--model", str(two.path))
    assert done.returncode == 0, done.stderr
    assert "blue: stopped and disabled" in done.stdout
    assert serving.running() == serving.enabled() == ["green"]


def test_interrupted_while_it_waits_it_clears_up(serving: FakeServer) -> None:
    slow = serving.model("slow", ready=(502, "not yet"))
    process = serving.start("activate", "--model", str(slow.path), "--deadline", "20")
    while "start --no-block tox_com_det@green.service" not in serving.log():
        time.sleep(0.02)
    process.terminate()
    _, err = process.communicate(timeout=10)
    assert process.returncode == 1
    assert "interrupted by SIGTERM" in err
    assert serving.running() == ["blue"]


def test_laptop_gone_in_the_middle_does_not_stop_the_switch(serving: FakeServer) -> None:
    two = serving.model("two")
    process = serving.start("activate", "--model", str(two.path), "--watch", "0.3")
    process.stdout.close()
    process.stderr.close()
    while not serving.log():
        time.sleep(0.02)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=10) == 0
    assert serving.live_model() == "two"
    assert serving.running() == ["green"]


def test_two_at_once_are_told_apart(serving: FakeServer) -> None:
    slow = serving.model("slow", ready=(502, "not yet"))
    with serving.start("activate", "--model", str(slow.path), "--deadline", "20") as process:
        while not serving.log():
            time.sleep(0.02)
        second = serving.activate("--model", str(serving.models["one"].path))
        assert second.returncode == 1
        assert f"another activation is under way (by anna, pid {process.pid}" in second.stderr
        assert f"pid {process.pid}" in serving.slotctl("status").stdout
        process.terminate()
        process.communicate(timeout=10)
    assert "under way" not in serving.slotctl("status").stdout
    assert serving.activate("--model", str(serving.models["one"].path)).returncode == 0


def test_lock_of_a_killed_run_holds_nobody_up(serving: FakeServer) -> None:
    serving.switch("die", "start")
    serving.activate("--model", str(serving.model("two").path))
    report = json.loads(serving.slotctl("status", "--json").stdout)
    assert report["lock"] is None


def test_incomplete_release_is_refused(serving: FakeServer) -> None:
    done = serving.activate("--model", str(serving.model("half", complete=False).path))
    assert done.returncode == 1
    assert "not complete: fab deploy-model" in done.stderr


def test_live_slot_that_does_not_answer_is_replaced_by_the_same_release(
    serving: FakeServer,
) -> None:
    serving.set_unit("blue", "active", "failed")
    done = serving.activate("--model", str(serving.models["one"].path))
    assert done.returncode == 0, done.stderr
    assert (serving.live(), serving.live_model()) == ("green", "one")


def test_link_to_a_strange_place_counts_as_nothing_live(serving: FakeServer) -> None:
    link = serving.config["live_link"]
    os.unlink(link)
    os.symlink("/somewhere/else.sock", link)
    done = serving.activate("--model", str(serving.models["one"].path))
    assert done.returncode == 0, done.stderr
    assert "is no slot's socket" in done.stdout
    assert serving.live() == "blue"


def test_status_shows_what_is_live(serving: FakeServer) -> None:
    report = json.loads(serving.slotctl("status", "--json").stdout)
    assert report["live"] == "blue"
    assert report["slots"]["blue"]["ready"]["status"] == 200
    assert report["slots"]["green"]["active"] == "inactive"
    lines = serving.slotctl("status").stdout.splitlines()
    assert lines[0] == "live: blue"
    assert lines[1].startswith("* blue")
    assert "model one" in lines[1]


@pytest.mark.parametrize("key", ["slots", "live_link", "unit", "drain_seconds"])
def test_missing_setting_is_named(server: FakeServer, key: str) -> None:
    del server.config[key]
    server.write_config()
    done = server.slotctl("status")
    assert done.returncode == 1
    assert f"has no {key}" in done.stderr


def test_missing_server_json_is_one_line(server: FakeServer) -> None:
    (server.root / "server.json").unlink()
    done = server.slotctl("status")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1


def test_idle_slot_is_never_the_live_one() -> None:
    assert slotctl.idle_slot("blue", ["blue", "green"]) == "green"
    assert slotctl.idle_slot("green", ["blue", "green"]) == "blue"
    assert slotctl.idle_slot(None, ["blue", "green"]) == "blue"


@pytest.mark.parametrize(
    ("state", "first_pid", "hopeless"),
    [
        (("activating", "start", 10), 10, False),
        (("active", "running", 10), 10, False),
        (("active", "running", 11), 10, True),
        (("failed", "failed", 0), None, True),
        (("activating", "auto-restart", 0), None, True),
        (("inactive", "dead", 0), 10, True),
        (("inactive", "dead", 0), None, False),
    ],
)
def test_a_second_main_process_is_a_crash(
    state: tuple, first_pid: int | None, hopeless: bool
) -> None:
    unit = slotctl.UnitState(*state, memory_bytes=None)
    assert bool(slotctl.unit_failure(unit, first_pid)) is hopeless
