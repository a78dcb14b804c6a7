"""The slot tool, run for real against a fake systemd and a fake nginx."""

from __future__ import annotations

import json
import os
import signal
import time
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

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
    *events, last = (json.loads(line) for line in done.stdout.splitlines())
    phases = [event["phase"] for event in events if "say" not in event]
    assert phases == ["activate", "confirm", "watch"]
    app = str(server.root / "apps/1.0")
    assert last == {
        "result": {
            "changed": True,
            "slot": "blue",
            "app": app,
            "model": str(server.models["one"].path),
            "model_version": "one",
            "previous": None,
        }
    }


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
    assert '"phase"' not in done.stdout  # so no hook runs for it
    assert json.loads(done.stdout.splitlines()[-1])["result"]["changed"] is False
    assert not [line for line in serving.log() if line.split()[0] in ("start", "stop", "enable")]


def test_forced_the_same_release_comes_up_again_with_new_settings(serving: FakeServer) -> None:
    done = serving.activate("--force")
    assert done.returncode == 0, done.stderr
    assert (serving.live(), serving.live_model()) == ("green", "one")
    assert serving.running() == ["green"]


def test_new_app_release_is_activated_with_the_live_model(serving: FakeServer) -> None:
    second = serving.app("2.0")
    link = serving.root / "current-app"
    link.unlink()
    link.symlink_to(serving.root / "apps/1.0")
    done = serving.activate("--app", str(second))
    assert done.returncode == 0, done.stderr
    assert (serving.live(), serving.live_model()) == ("green", "one")
    assert json.loads((serving.root / "slots/green.json").read_text())["app"] == str(second)
    assert os.readlink(link) == str(second)


def test_a_new_model_stays_with_the_app_that_serves(serving: FakeServer) -> None:
    serving.app("broken")  # Ansible has put it there, but it was never activated
    done = serving.activate("--model", str(serving.model("two").path))
    assert done.returncode == 0, done.stderr
    served = str(serving.root / "apps/1.0")
    assert json.loads((serving.root / "slots/green.json").read_text())["app"] == served
    assert os.readlink(serving.root / "current-app") == served


def test_what_has_proven_itself_is_written_down_with_what_was_before(serving: FakeServer) -> None:
    one = serving.confirmed()
    assert one is not None
    assert (one["slot"], one["previous"]) == ("blue", None)
    serving.activate("--model", str(serving.model("two").path))
    before = {name: one[name] for name in ("app", "model", "at")}
    two = serving.confirmed()
    assert two is not None
    assert (two["slot"], two["model"]) == ("green", str(serving.models["two"].path))
    assert two["previous"] == before
    # The same again, with new settings, is no other release: the way back stays the same.
    serving.activate("--force")
    again = serving.confirmed()
    assert again is not None
    assert (again["slot"], again["previous"]) == ("blue", before)


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
    assert "back to slot blue" in done.stdout
    assert "blue: stopped and disabled" in done.stdout
    assert serving.running() == serving.enabled() == ["green"]


@pytest.mark.parametrize("boot", [False, True])
def test_killed_between_flip_and_confirm_it_goes_back_to_what_was_confirmed(
    serving: FakeServer, boot: bool
) -> None:
    two = serving.model("two", kills_caller_when_live=True)
    serving.activate("--model", str(two.path))
    assert json.loads(serving.slotctl("status", "--json").stdout)["unfinished"] is True
    assert "slotctl recover" in serving.slotctl("status").stdout
    serving.unswitch("log")
    done = serving.slotctl("recover", *(["--boot"] if boot else []))
    assert done.returncode == 0, done.stderr
    assert serving.live_model() == "one"
    assert serving.running() == serving.enabled() == ["blue"]
    assert ("stop --no-block tox_com_det@green.service" in serving.log()) is boot
    report = json.loads(serving.slotctl("status", "--json").stdout)
    assert (report["unfinished"], report["confirmed"]) == (False, serving.confirmed())
    assert serving.slotctl("recover").stdout == "nothing to recover\n"


def test_recover_starts_the_confirmed_slot_where_it_does_not_run(serving: FakeServer) -> None:
    two = serving.model("two", kills_caller_when_live=True)
    serving.activate("--model", str(two.path))
    two.kills_caller_when_live = False
    serving.set_unit("blue", "active", "inactive")
    serving.unswitch("log")
    assert serving.slotctl("recover").returncode == 0
    assert (serving.live_model(), serving.running()) == ("one", ["blue"])
    log = serving.log()
    # The candidate answers until the old one is there.
    assert log.index("start --no-block tox_com_det@blue.service") < log.index(
        "stop tox_com_det@green.service"
    )


def test_power_cut_after_confirm_brings_up_the_confirmed_slot(serving: FakeServer) -> None:
    serving.set_unit("blue", "enabled", "disabled")
    serving.set_unit("blue", "active", "inactive")
    serving.set_unit("green", "enabled", "enabled")
    (serving.root / "slots/blue.json").write_text("{}")
    assert serving.slotctl("recover", "--boot").returncode == 0
    assert serving.enabled() == ["blue"]
    assert serving.live_model() == "one"


def test_where_nothing_was_confirmed_recover_leaves_all_as_it_is(serving: FakeServer) -> None:
    (serving.root / "state/confirmed.json").unlink()
    serving.set_unit("green", "enabled", "enabled")
    assert serving.slotctl("recover").stdout == "nothing to recover\n"
    assert serving.enabled() == ["blue", "green"]
    # A server from before there was such a file: what is live and answers has proven itself.
    assert serving.activate().returncode == 0
    confirmed = serving.confirmed()
    assert confirmed is not None
    assert confirmed["slot"] == "blue"


def test_the_old_slot_runs_on_while_the_new_one_is_watched(serving: FakeServer) -> None:
    two = serving.model("two")
    arguments = ("activate", "--model", str(two.path), "--watch", "20", "--json")
    with serving.start(*arguments) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line) == {"phase": "watch"}:
                break
        assert serving.live_model() == "two"
        assert serving.running() == ["blue", "green"]
        assert f"pid {process.pid}" in serving.slotctl("stop").stdout
        last = json.loads(process.stdout.read().splitlines()[-1])
    assert process.returncode == 1
    assert "interrupted by SIGTERM" in last["error"]
    assert 0 <= last["back_seconds"] < 5
    assert "journal of tox_com_det@green.service" in last["details"]
    assert (serving.live_model(), serving.enabled()) == ("one", ["blue"])
    assert serving.slotctl("stop").stdout == "no activation is under way\n"


@pytest.mark.parametrize("fault", ["crash", "answer", "gone"])
def test_what_goes_wrong_while_it_is_watched_brings_the_old_one_back(
    serving: FakeServer, fault: str
) -> None:
    two = serving.model("two")
    pace = ("--watch", "20", "--poll", "0.05", "--json")
    with serving.start("activate", "--model", str(two.path), *pace) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line) == {"phase": "watch"}:
                break
        if fault == "crash":
            serving.set_unit("green", "pid", "4711")
        elif fault == "answer":
            two.answer = {"toxic": 0.5, "obscene": 0.25}
        else:
            two.ready = (502, "<html>Bad Gateway</html>")
        begin = time.monotonic()
        last = json.loads(process.stdout.read().splitlines()[-1])
    assert time.monotonic() - begin < 5
    words = {"crash": "crashed", "answer": "toxic of 'idiot' is 0.5", "gone": "Bad Gateway"}
    assert words[fault] in last["error"]
    assert ("the answer was" in last["details"]) == (fault != "crash")
    assert (serving.live_model(), serving.running()) == ("one", ["blue"])


def test_failure_before_the_flip_has_no_way_back_to_measure(serving: FakeServer) -> None:
    bad = serving.model("bad", answer={"toxic": 0.5, "obscene": 0.25})
    done = serving.activate("--model", str(bad.path), "--json")
    last = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, done.stderr, last["back_seconds"]) == (1, "", None)
    refused = serving.activate("--model", "/nowhere", "--json")
    assert "fab deploy-model" in json.loads(refused.stdout)["error"]


def test_an_old_slot_that_cannot_be_stopped_does_not_undo_what_is_confirmed(
    serving: FakeServer,
) -> None:
    serving.switch("fail", "disable tox_com_det@blue")
    done = serving.activate("--model", str(serving.model("two").path), "--json")
    assert done.returncode == 0, done.stderr
    assert "slotctl recover, or the next deploy, ends that" in done.stdout
    assert json.loads(done.stdout.splitlines()[-1])["result"]["slot"] == "green"
    serving.unswitch("fail")
    serving.slotctl("recover")
    assert (serving.live_model(), serving.enabled()) == ("two", ["green"])


def test_what_cannot_be_written_down_is_taken_back(serving: FakeServer) -> None:
    serving.config["state_dir"] = str(serving.root / "gone")  # a full disk ends the same way
    serving.write_config()
    done = serving.activate("--model", str(serving.model("two").path))
    assert done.returncode == 1
    assert "No such file" in done.stderr.splitlines()[0]
    assert (serving.live_model(), serving.enabled()) == ("one", ["blue"])


@pytest.mark.parametrize(
    "line", ["0::/a/tox_com_det@blue.service", "9:name=systemd:/a/tox_com_det@blue.service"]
)
def test_candidate_goes_first_when_memory_runs_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    groups = {"10": line, "11": line, "12": line.replace("/a/", "/b/a/"), "self": line}
    for name, group in groups.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup").write_text(f"3:cpu:/\n{group}\n")
        (tmp_path / name / "oom_score_adj").write_text("0")
    monkeypatch.setattr(slotctl, "PROC", str(tmp_path))
    group = "/a/tox_com_det@blue.service"
    assert sorted(slotctl.processes(group)) == [10, 11]
    assert slotctl.processes("") == []
    slotctl.set_oom_score(group, 900)
    scores = {name: (tmp_path / name / "oom_score_adj").read_text() for name in groups}
    assert scores == {"10": "900", "11": "900", "12": "0", "self": "0"}


def test_a_process_that_ended_is_noticed_though_another_took_its_place(
    serving: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slotctl, "PROC", str(tmp_path))
    state = slotctl.UnitState("active", "running", 10, None)
    monkeypatch.setattr(slotctl, "unit_state", lambda unit: state)
    (tmp_path / "11").mkdir()
    watch = slotctl.Watch(slotctl.Slots(serving.config), "green", {}, 10, [11])
    watch.check_unit()
    (tmp_path / "11").rmdir()
    with pytest.raises(slotctl.SlotError, match="its process 11 ended"):
        watch.check_unit()


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


def test_interruption_is_not_taken_for_an_answer_that_did_not_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise slotctl.Interrupted("interrupted by SIGTERM")

    monkeypatch.setattr(slotctl.OPENER, "open", interrupted)
    with pytest.raises(slotctl.Interrupted):
        slotctl.ask("http://127.0.0.1:9/readyz")


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


def test_what_cannot_be_cleared_up_does_not_take_back_what_is_confirmed(
    serving: FakeServer,
) -> None:
    app, two = serving.app("2.0"), serving.model("two").path
    (serving.root / "current-app").unlink()
    (serving.root / "current-app").mkdir()  # so that no link can take its place
    done = serving.activate("--model", str(two), "--app", str(app))
    assert done.returncode == 0, done.stderr
    assert "or the next deploy, ends that" in done.stdout
    assert (serving.live_model(), serving.confirmed()["model"]) == ("two", str(two))


def test_link_to_a_strange_place_counts_as_nothing_live(serving: FakeServer) -> None:
    (serving.root / "state/confirmed.json").unlink()
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


def test_a_failed_candidate_that_does_not_stop_is_killed(
    serving: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{serving.root / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE", str(serving.root / "fake"))
    monkeypatch.setattr(slotctl, "FAILED_STOP_SECONDS", 0.1)
    hanging = slotctl.UnitState("deactivating", "stop-sigterm", 10, None)
    monkeypatch.setattr(slotctl, "unit_state", lambda unit: hanging)
    slotctl.hurry(slotctl.Slots(serving.config), "green")
    assert [line for line in serving.log() if "green" in line] == [
        "stop --no-block tox_com_det@green.service",
        "kill --signal=KILL tox_com_det@green.service",
    ]
