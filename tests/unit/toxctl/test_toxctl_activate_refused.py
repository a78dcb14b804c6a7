"""`toxctl activate`: a release that is not good leaves the live slot as it was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer

from toxctl import config, recover, slots, systemd, watch


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ({"answer": {"toxic": 0.5, "obscene": 0.25}}, "toxic of 'idiot' is 0.500000"),
        ({"answer": {"toxic": float("nan"), "obscene": 0.25}}, "is nan, not a finite number"),
        ({"answer": {"toxic": 0.9}}, "the labels of 'idiot' are ['toxic']"),
        ({"answer": "none"}, "the answer has no scores"),
        ({"ready": (200, {"status": "ready", "model": "other"})}, "another model"),
        ({"ready": (200, {"status": "ready", "model": "bad", "slot": "blue"})}, "by slot blue"),
        ({"ready": (503, {"checks": {"collection": "gone"}})}, "gone"),
        ({"dies_when_live": True}, "after the switch"),
    ],
    ids=["wrong", "nan", "labels", "none", "model", "slot", "not-ready", "dies-after-switch"],
)
def test_bad_candidate_leaves_the_live_slot_as_it_was(
    serving: FakeServer,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: dict[str, Any],
    words: str,
) -> None:
    monkeypatch.setattr(watch, "STALE_SECONDS", 0.2)
    done = serving.activate("--model", str(serving.model("bad", **behaviour).path), deadline="0.5")
    assert done.returncode == 1
    assert done.stderr.startswith("toxctl: not activated: ")
    assert words in done.stderr.splitlines()[0]
    assert "slot blue stays live" in done.stderr
    assert (serving.live(), serving.live_model()) == ("blue", "one")
    assert (serving.running(), serving.enabled()) == (["blue"], ["blue"])
    # "Failed to become healthy" without a reason helps nobody: the journal belongs to the message.
    assert "journal of tox_com_det@green.service: the last words" in done.stderr
    good = serving.activate("--model", str(serving.model("good").path))
    assert good.returncode == 0, good.stderr
    assert serving.live_model() == "good"


def test_refused_activation_says_whether_the_old_slot_was_away(
    serving: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "STALE_SECONDS", 0.2)
    bad = serving.model("bad", answer={"toxic": 0.5, "obscene": 0.25})
    done = serving.activate("--model", str(bad.path), json=True)
    assert (done.stderr, done.error["back_seconds"]) == ("", None)
    assert done.error["kind"] == "other"
    refused = serving.activate("--model", "/nowhere", json=True)
    assert "fab deploy-model" in refused.error["error"]
    assert refused.error["back_seconds"] is None
    late = serving.model("late", dies_when_live=True)
    done = serving.activate("--model", str(late.path), json=True)
    assert done.error["back_seconds"] >= 0
    assert "the answer was 502" in done.error["details"]


def test_failed_unit_ends_the_activation_long_before_the_deadline(serving: FakeServer) -> None:
    serving.switch("start-fails")
    done = serving.activate("--model", str(serving.model("two").path), deadline="600")
    assert "about to start it again" in done.stderr
    # Restart=always would try it for ever.
    assert serving.running() == ["blue"]
    assert serving.unit("green", "active") == "inactive"


@pytest.mark.parametrize("check", ["golden_outputs", "known_answers"])
def test_lasting_fault_ends_the_activation_at_once_with_the_last_journal_lines(
    serving: FakeServer, check: str
) -> None:
    (serving.root / "bin" / "journalctl").write_text("#!/bin/sh\nseq 200\n")
    wrong = (503, {"checks": {"manifest": "ok", check: "toxic is 0.8, expected 0.1"}})
    model = serving.model("bad", ready=wrong)
    done = serving.activate("--model", str(model.path), deadline="600")
    assert "toxic is 0.8, expected 0.1" in done.stderr
    assert "is not ready after" not in done.stderr
    assert done.stderr.splitlines()[-50:] == [str(number) for number in range(151, 201)]


def test_app_that_reports_itself_not_ready_for_long_ends_the_activation(
    serving: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "NOT_READY_SECONDS", 0.1)
    waiting = (503, {"checks": {"database": "does not answer"}})
    model = serving.model("bad", ready=waiting)
    done = serving.activate("--model", str(model.path), deadline="600")
    assert "slot green reports that it is not ready" in done.stderr


def test_failed_first_activation_leaves_nothing_live(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "STALE_SECONDS", 0.2)
    done = server.activate("--model", str(server.model("bad", dies_when_live=True).path))
    assert done.returncode == 1
    assert "nothing is live, as before" in done.stderr
    assert server.live() is None
    assert (server.running(), server.enabled()) == ([], [])


def test_enable_that_fails_stops_the_candidate_before_the_switch(serving: FakeServer) -> None:
    serving.switch("fail", "enable")
    done = serving.activate("--model", str(serving.model("two").path))
    assert done.returncode == 1
    assert "no luck" in done.stderr
    assert serving.live_model() == "one"
    assert serving.running() == ["blue"]


def test_candidate_that_cannot_be_stopped_is_part_of_the_message(serving: FakeServer) -> None:
    bad = serving.model("bad", answer={"toxic": 0.5, "obscene": 0.25})
    serving.switch("fail", "disable")
    done = serving.activate("--model", str(bad.path))
    assert "the candidate could not be stopped (systemctl disable" in done.stderr


def test_release_that_cannot_be_recorded_is_taken_back(serving: FakeServer) -> None:
    serving.config["state_dir"] = str(serving.root / "gone")  # a full disk ends the same way
    serving.write_config()
    done = serving.activate("--model", str(serving.model("two").path))
    assert done.returncode == 1
    assert "No such file" in done.stderr.splitlines()[0]
    assert (serving.live_model(), serving.enabled()) == ("one", ["blue"])


def test_incomplete_release_is_refused(serving: FakeServer) -> None:
    done = serving.activate("--model", str(serving.model("half", complete=False).path))
    assert done.returncode == 1
    assert "not complete: run `fab deploy-model`" in done.stderr


def test_a_model_outside_of_the_models_directory_is_refused(
    serving: FakeServer, tmp_path: Path
) -> None:
    """Prune reads the models of that directory alone, and would drop the live word vectors."""
    model = serving.model("two").path
    outside = tmp_path / "outside" / "two"
    shutil.copytree(model, outside)
    error = serving.activate("--model", str(outside), json=True).error
    assert "would drop its word vectors: install it there with `fab deploy-model`" in error["error"]
    assert serving.live_model() == "one"
    link = tmp_path / "link"
    link.symlink_to(model)
    assert serving.activate("--model", str(link)).returncode == 0


@pytest.mark.parametrize("text", ["{", "[]", '{"labels": []}'])
def test_unusable_manifest_is_refused_before_anything_starts(
    serving: FakeServer, text: str
) -> None:
    model = serving.model("two").path
    (model / "manifest.json").write_text(text)
    done = serving.activate("--model", str(model), json=True)
    assert done.error["kind"] == "manifest"
    assert "rerun `fab deploy-model`" in done.error["error"]
    assert not [line for line in serving.log() if line.startswith("start")]


@pytest.mark.parametrize("golden", [None, {"tolerance": 1, "cases": []}])
def test_manifest_without_golden_outputs_is_refused(serving: FakeServer, golden: Any) -> None:
    model = serving.model("two", key="no_outputs").path
    if golden is not None:
        manifest = json.loads((model / "manifest.json").read_text())
        (model / "manifest.json").write_text(json.dumps({**manifest, "golden_outputs": golden}))
    done = serving.activate("--model", str(model))
    assert "no golden" in done.stderr


def test_failed_candidate_that_does_not_stop_is_killed(
    serving: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recover, "FAILED_STOP_SECONDS", 0.1)
    hanging = systemd.UnitState("deactivating", "stop-sigterm", 10, None)
    monkeypatch.setattr(systemd, "unit_state", lambda unit: hanging)
    with serving.inside():
        recover.stop_failed(slots.Slots(config.load(str(serving.config_path))), "green")
    assert [line for line in serving.log() if "green" in line] == [
        "stop --no-block tox_com_det@green.service",
        "kill --signal=KILL tox_com_det@green.service",
    ]
