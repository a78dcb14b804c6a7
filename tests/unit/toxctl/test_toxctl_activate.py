"""`toxctl activate`: a good release takes over in the other slot."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from fake_server import FakeServer

from toxctl import config, slots


def test_first_activation_makes_a_slot_live(server: FakeServer) -> None:
    done = server.activate("--model", str(server.model("one").path), json=True)
    assert done.returncode == 0, done.stdout
    assert server.live() == "blue"
    assert (server.running(), server.enabled()) == (["blue"], ["blue"])
    phases = [event["phase"] for event in done.events[:-1] if "say" not in event]
    assert phases == ["activate", "confirm", "watch"]
    assert done.last == {
        "result": {
            "changed": True,
            "slot": "blue",
            "app": str(server.root / "apps/1.0"),
            "model": str(server.models["one"].path),
            "model_version": "one",
            "previous": None,
        }
    }


def test_server_of_these_tests_is_as_a_first_activation_leaves_it(
    server: FakeServer, tmp_path: Path
) -> None:
    other = FakeServer(tmp_path / "other")
    try:
        other.make_live("one")
        assert server.activate("--model", str(server.model("one").path)).returncode == 0
        found = [_state(server), _state(other)]
        assert found[0] == found[1]
    finally:
        other.close()


def _state(server: FakeServer) -> dict[str, object]:
    names = ("active", "sub", "pid", "enabled", "pinned")
    state: dict[str, object] = {name: server.unit("blue", name) for name in names}
    state["slot"] = json.loads((server.root / "slots/blue.json").read_text())
    state["confirmed"] = {**(server.confirmed() or {}), "at": None}
    state["link"] = os.readlink(server.config["live_link"])
    return json.loads(json.dumps(state).replace(str(server.root), ""))


def test_good_candidate_takes_over_in_the_other_slot(serving: FakeServer) -> None:
    done = serving.activate("--model", str(serving.model("two").path))
    assert done.returncode == 0, done.stderr
    assert serving.live() == "green"
    assert serving.live_model() == "two"
    assert (serving.running(), serving.enabled()) == (["green"], ["green"])
    for words in ("green: starting model two", "2 golden outputs match", "blue: stopped"):
        assert words in done.stdout


@pytest.mark.parametrize("key", ["golden_outputs", "known_answers"])
def test_manifests_of_both_formats_prove_a_model(serving: FakeServer, key: str) -> None:
    wrong = {"toxic": 0.5, "obscene": 0.25}
    bad = serving.activate("--model", str(serving.model("bad", key=key, answer=wrong).path))
    assert "toxic of 'idiot' is 0.500000, expected 0.900000" in bad.stderr
    good = serving.activate("--model", str(serving.model("good", key=key).path))
    assert (good.returncode, serving.live_model()) == (0, "good")


def test_model_and_app_can_be_named_without_their_directory(serving: FakeServer) -> None:
    serving.model("two")
    serving.app("2.0")
    done = serving.activate("--model", "two", "--app", "2.0", json=True)
    assert done.result["model"] == str(serving.models["two"].path)
    assert done.result["app"] == str(serving.root / "apps/2.0")


def test_candidate_is_enabled_before_the_switch_and_the_old_one_stopped_last(
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


def test_release_that_is_live_already_changes_nothing(serving: FakeServer) -> None:
    done = serving.activate("--model", str(serving.models["one"].path), json=True)
    assert done.returncode == 0
    assert "nothing to do" in done.stdout
    assert '"phase"' not in done.stdout  # so no hook runs for it
    assert done.result["changed"] is False
    assert not [line for line in serving.log() if line.split()[0] in ("start", "stop", "enable")]


def test_forced_the_same_release_starts_again_with_new_settings(serving: FakeServer) -> None:
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


def test_new_model_stays_with_the_live_app(serving: FakeServer) -> None:
    serving.app("broken")  # Ansible has installed it, but it was never activated
    done = serving.activate("--model", str(serving.model("two").path))
    assert done.returncode == 0, done.stderr
    live = str(serving.root / "apps/1.0")
    assert json.loads((serving.root / "slots/green.json").read_text())["app"] == live
    assert os.readlink(serving.root / "current-app") == live


def test_confirmed_release_is_recorded_with_the_previous_one(serving: FakeServer) -> None:
    one = serving.confirmed()
    assert one is not None
    assert (one["slot"], one["previous"]) == ("blue", None)
    serving.activate("--model", str(serving.model("two").path))
    before = {name: one[name] for name in ("app", "model", "at")}
    two = serving.confirmed()
    assert two is not None
    assert (two["slot"], two["model"]) == ("green", str(serving.models["two"].path))
    assert two["previous"] == before
    # The same again, with new settings, is no other release: the previous one stays the same.
    serving.activate("--force")
    again = serving.confirmed()
    assert again is not None
    assert (again["slot"], again["previous"]) == ("blue", before)


def test_without_a_live_model_the_model_must_be_named(server: FakeServer) -> None:
    done = server.activate()
    assert done.returncode == 1
    assert "fab deploy-model" in done.stderr
    if_live = server.activate("--if-live", json=True)
    assert if_live.result["changed"] is False
    assert "nothing to do" in if_live.stdout


def test_live_slot_that_does_not_answer_is_replaced_by_the_same_release(
    serving: FakeServer,
) -> None:
    serving.set_unit("blue", "active", "failed")
    done = serving.activate("--model", str(serving.models["one"].path))
    assert done.returncode == 0, done.stderr
    assert "runs this release but does not answer as it should" in done.stdout
    assert (serving.live(), serving.live_model()) == ("green", "one")


def test_what_cannot_be_tidied_up_does_not_undo_what_is_confirmed(serving: FakeServer) -> None:
    app, two = serving.app("2.0"), serving.model("two").path
    (serving.root / "current-app").unlink()
    (serving.root / "current-app").mkdir()  # so that no link can take its place
    done = serving.activate("--model", str(two), "--app", str(app))
    assert done.returncode == 0, done.stderr
    assert "or a deploy, repairs that" in done.stdout
    confirmed = serving.confirmed()
    assert confirmed is not None
    assert (serving.live_model(), confirmed["model"]) == ("two", str(two))


def test_old_slot_that_cannot_be_stopped_does_not_undo_what_is_confirmed(
    serving: FakeServer,
) -> None:
    serving.switch("fail", "disable tox_com_det@blue")
    done = serving.activate("--model", str(serving.model("two").path), json=True)
    assert "`sudo toxctl recover` on the server, or a deploy, repairs that" in done.stdout
    assert done.result["slot"] == "green"
    serving.unswitch("fail")
    assert serving.run("recover").returncode == 0
    assert (serving.live_model(), serving.enabled()) == ("two", ["green"])


def test_link_to_no_slot_counts_as_nothing_live(serving: FakeServer) -> None:
    (serving.root / "state/confirmed.json").unlink()
    link = serving.config["live_link"]
    os.unlink(link)
    os.symlink("/somewhere/else.sock", link)
    done = serving.activate("--model", str(serving.models["one"].path))
    assert done.returncode == 0, done.stderr
    assert "no slot's socket" in done.stdout
    assert serving.live() == "blue"


def test_server_without_confirmed_json_records_what_is_live_and_answers(
    serving: FakeServer,
) -> None:
    (serving.root / "state/confirmed.json").unlink()
    serving.set_unit("green", "enabled", "enabled")
    assert serving.run("recover").stdout == "nothing to recover\n"
    assert serving.enabled() == ["blue", "green"]
    assert serving.activate().returncode == 0
    confirmed = serving.confirmed()
    assert confirmed is not None
    assert confirmed["slot"] == "blue"


def test_slots_other_than_the_live_one_are_idle(serving: FakeServer) -> None:
    found = slots.Slots(config.load(str(serving.config_path)))
    assert found.idle("blue") == "green"
    assert found.idle("green") == "blue"
    assert found.idle(None) == "blue"
