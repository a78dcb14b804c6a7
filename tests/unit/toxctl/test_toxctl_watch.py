"""After the switch: processes and answers of the new slot are watched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_server import FakeServer

from toxctl import config, memory, slots, systemd
from toxctl.manifest import Expected
from toxctl.watch import Watch


@pytest.mark.parametrize("fault", ["crash", "answer", "gone"])
def test_fault_while_the_new_slot_is_watched_brings_the_old_one_back(
    serving: FakeServer, fault: str
) -> None:
    two = serving.model("two")
    pace = ("--watch", "300", "--poll", "0.02")
    with serving.start("--json", "activate", "--model", str(two.path), *pace) as process:
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
        last = json.loads(process.stdout.read().splitlines()[-1])
    words = {"crash": "crashed", "answer": "toxic of 'idiot' is 0.5", "gone": "Bad Gateway"}
    assert words[fault] in last["error"]
    assert "slot green after the switch" in last["error"]
    assert ("the answer was" in last["details"]) == (fault != "crash")
    assert (serving.live_model(), serving.running()) == ("one", ["blue"])


def test_process_that_ended_is_noticed_although_another_took_its_place(
    serving: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "PROC", str(tmp_path))
    state = systemd.UnitState("active", "running", 10, None)
    monkeypatch.setattr(systemd, "unit_state", lambda unit: state)
    (tmp_path / "11").mkdir()
    found = slots.Slots(config.load(str(serving.config_path)))
    watch = Watch(found, "green", Expected("m", [], 0.0, []), 10, [11])
    watch.check_unit()
    (tmp_path / "11").rmdir()
    with pytest.raises(systemd.ToxctlError, match="its process 11 ended"):
        watch.check_unit()


@pytest.mark.parametrize(
    ("state", "first_pid", "failed"),
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
    state: tuple[str, str, int], first_pid: int | None, failed: bool
) -> None:
    unit = systemd.UnitState(*state, memory_bytes=None)
    assert bool(systemd.unit_failure(unit, first_pid)) is failed


@pytest.mark.parametrize(
    "line", ["0::/a/tox_com_det@blue.service", "9:name=systemd:/a/tox_com_det@blue.service"]
)
def test_candidate_is_killed_first_when_memory_runs_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    groups = {"10": line, "11": line, "12": line.replace("/a/", "/b/a/"), "self": line}
    for name, group in groups.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup").write_text(f"3:cpu:/\n{group}\n")
        (tmp_path / name / "oom_score_adj").write_text("0")
    monkeypatch.setattr(memory, "PROC", str(tmp_path))
    group = "/a/tox_com_det@blue.service"
    assert sorted(memory.processes(group)) == [10, 11]
    assert memory.processes("") == []
    memory.set_oom_score(group, 900)
    scores = {name: (tmp_path / name / "oom_score_adj").read_text() for name in groups}
    assert scores == {"10": "900", "11": "900", "12": "0", "self": "0"}
