"""`toxctl prune`: removes what is not needed, and nothing that another deploy is working on."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from fake_server import FakeServer
from session_helper import session

from toxctl import locks

DAY = 86400
NO_COLLECTIONS = """echo '{"collections": []}'\n"""


def age(path: Path, days: float) -> None:
    """Let the path, and what is below it, be that old."""
    when = time.time() - days * DAY
    for one in (*path.rglob("*"), path):
        os.utime(one, (when, when), follow_symlinks=False)


@pytest.fixture
def full(serving: FakeServer) -> FakeServer:
    """Seven models of seven days and four apps; model `two` is live, `one` was before it."""
    for number, name in enumerate(["m1", "m2", "m3", "m4", "m5"]):
        age(serving.model(name).path, 20 - number)
    for number, name in enumerate(["a1", "a2", "a3"]):
        age(serving.app(name), 20 - number)
    two = serving.model("two")
    assert serving.activate("--model", str(two.path), watch="0").returncode == 0
    age(serving.models["one"].path, 30)
    age(two.path, 29)
    age(serving.root / "apps/1.0", 30)
    serving.answers("collections", f'echo "$@" >> {serving.root}/asked\n' + NO_COLLECTIONS)
    return serving


def prune(server: FakeServer, *arguments: str) -> tuple[list[str], list[str]]:
    """Prune; the names of what is removed, and of what is kept."""
    found = server.json("prune", *arguments).result
    assert found["removed"] is ("--dry-run" not in arguments)
    return (
        [one["name"] for one in found["remove"]],
        [one["name"] for one in found["keep"]],
    )


def test_of_two_releases_of_one_second_the_later_one_stays(full: FakeServer) -> None:
    second = time.time_ns() // 10**9 * 10**9
    for name, part in (("m4", 0.9), ("m5", 0.1)):
        mark = full.models[name].path / ".complete"
        os.utime(mark, ns=(second, second + int(part * 10**9)))
    removed, _ = prune(full, "--keep", "1", "--dry-run")
    assert "m5" in removed
    assert "m4" not in removed


def test_newest_releases_and_all_that_are_needed_stay(full: FakeServer) -> None:
    planned = prune(full, "--keep", "2", "--dry-run")
    assert planned[0] == ["m1", "m2", "m3", "a1"]
    assert len(os.listdir(full.root / "models")) == 7
    assert prune(full, "--keep", "2") == planned
    assert sorted(os.listdir(full.root / "models")) == ["m4", "m5", "one", "two"]
    assert sorted(os.listdir(full.root / "apps")) == ["1.0", "a2", "a3"]
    assert prune(full, "--keep", "2")[0] == []
    assert full.live_model() == "two"
    assert prune(full, "--keep", "1")[0] == ["m4", "a2"]


def test_each_release_has_a_reason(full: FakeServer) -> None:
    text = full.run("prune", "--keep", "2", "--dry-run").stdout
    assert "keep model two: it is live\n" in text
    assert "keep model one: it is the previous release\n" in text
    assert "keep model m5: one of the 2 newest\n" in text
    assert "would remove model m1 (0.0 MB): more than the 2 newest\n" in text
    assert "removed app a1" in full.run("prune", "--keep", "2").stdout


def test_full_disk_removes_more_than_the_number(full: FakeServer) -> None:
    full.config["keep_free_mb"] = 1 << 40
    full.write_config()
    assert prune(full)[0] == ["m1", "m2", "m3", "m4", "m5", "a1", "a2", "a3"]
    assert sorted(os.listdir(full.root / "models")) == ["one", "two"]


def test_old_leftovers_go_but_none_of_another_session(full: FakeServer) -> None:
    half = full.model("half", complete=False).path
    part = full.root / "incoming" / "anna" / "ab.part"
    part.parent.mkdir()
    part.write_text("12345")
    dump = full.root / "dumps" / "words_of_half"
    (dump / "word_embeddings").mkdir(parents=True)
    (dump / "manifest.json").write_bytes((half / "manifest.json").read_bytes())
    assert prune(full)[0] == []
    for path in (half, part, dump):
        age(path, 2)
    with session(full):
        would = prune(full, "--dry-run")[0]
    assert would == ["ab.part", "words_of_half"]
    asked = (full.root / "asked").read_text().splitlines()[-1]
    assert "--keep words_of_half" in asked
    would = prune(full, "--dry-run")[0]
    with session(full):  # as `fab prune` does it: the dry run reported exactly what is removed
        assert prune(full, "--session", "a1")[0] == would == ["half", "ab.part", "words_of_half"]
    assert not any(path.exists() for path in (half, part, dump))
    assert "words_of_half" not in (full.root / "asked").read_text().splitlines()[-1]


def test_no_link_of_an_uploader_is_followed(full: FakeServer) -> None:
    anna, live = full.root / "incoming" / "anna", full.models["two"].path
    (anna / "deep").mkdir(parents=True)
    (anna / "deep" / "file").write_text("1")
    (anna / "link").symlink_to(live)
    age(anna, 2)
    assert prune(full)[0] == ["link"]
    assert (live / ".complete").exists()
    assert (anna / "deep" / "file").exists()


def test_running_deploy_stops_prune(full: FakeServer) -> None:
    with session(full):
        error = full.json("prune", "--keep", "1").error
        assert (error["kind"], error["holder"]["id"]) == ("locked", "a1")
        assert full.json("prune", "--session", "b1").error["kind"] == "locked"
    error = full.json("prune", "--session", "a1").error
    assert error["kind"] == "locked"
    assert "session a1 has ended" in error["error"]
    assert len(os.listdir(full.root / "models")) == 7


def test_running_activation_stops_prune(full: FakeServer) -> None:
    with locks.activation(full.config["lock_file"]):
        error = full.json("prune", "--keep", "1").error
    assert error["kind"] == "activating"
    assert len(os.listdir(full.root / "models")) == 7


def test_collections_that_no_manifest_names_are_dropped(full: FakeServer) -> None:
    listed = [
        {"name": "words_of_two", "bytes": 5, "kept": True, "dropped": False},
        {"name": "fresh", "bytes": 5, "kept": True, "dropped": False},
        {"name": "words_of_m1", "bytes": None, "kept": False, "dropped": True},
    ]
    full.answers(
        "collections",
        f"echo \"$@\" >> {full.root}/asked; echo '{json.dumps({'collections': listed})}'",
    )
    found = full.json("prune", "--keep", "2").result
    removed = [entry["name"] for entry in found["remove"]]
    assert removed == ["m1", "m2", "m3", "a1", "words_of_m1"]
    why = {entry["name"]: entry["why"] for entry in found["keep"]}
    assert why["words_of_two"] == "a release that stays names it"
    assert why["fresh"] == "younger than a day, a deploy may be about to name it"
    assert (full.root / "asked").read_text().split() == [
        "-m", "tox_com_det.store.collections",
        *("--keep", "words_of_m4", "--keep", "words_of_m5"),
        *("--keep", "words_of_one", "--keep", "words_of_two"),
        *("--keep-young", "86400", "--drop"),
    ]  # fmt: skip


def test_prune_after_a_deploy_asks_only_for_the_collections_of_what_it_removed(
    full: FakeServer,
) -> None:
    prune(full, "--auto", "--keep", "6")
    assert not (full.root / "asked").exists()
    listed = [{"name": "other", "bytes": 5, "kept": True, "dropped": False}]
    full.answers(
        "collections",
        f"echo \"$@\" >> {full.root}/asked; echo '{json.dumps({'collections': listed})}'",
    )
    found = full.json("prune", "--auto", "--keep", "4", "--dry-run").result
    asked = (full.root / "asked").read_text()
    assert "--only words_of_m1 --keep-young" in asked
    assert "--drop" not in asked
    assert found["keep"][-1]["why"] == "only `fab prune` itself checks it"


def test_manifest_that_cannot_be_read_keeps_every_collection(full: FakeServer) -> None:
    (full.models["m5"].path / "manifest.json").write_text("{")
    done = full.json("prune", "--keep", "2")
    assert "cannot be read, so no collection is dropped" in done.stdout
    assert not (full.root / "asked").exists()


def test_database_that_is_away_does_not_keep_releases(full: FakeServer) -> None:
    full.answers(
        "collections", """echo '{"error": "MongoDB is away", "kind": "database"}'; exit 1"""
    )
    done = full.json("prune", "--keep", "2")
    assert "the collections are left as they are: MongoDB is away" in done.stdout
    assert [entry["name"] for entry in done.result["remove"]] == ["m1", "m2", "m3", "a1"]


def test_at_least_one_release_is_kept(full: FakeServer) -> None:
    done = full.run("prune", "--keep", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--keep must be 1 or more" in done.stderr


def test_live_model_that_is_missing_keeps_every_collection(full: FakeServer) -> None:
    """As when its disk is not mounted: the database with its word vectors is on another one."""
    (full.root / "models").rename(full.root / "elsewhere")
    done = full.json("prune", "--keep", "2")
    assert "models/two is in use and missing, so no collection is dropped" in done.stdout
    assert [entry["name"] for entry in done.result["remove"]] == ["a1"]
    assert not (full.root / "asked").exists()


def test_a_full_disk_of_apps_does_not_cost_models_of_another_disk(
    full: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = {"apps": 0, "models": 1 << 50}
    monkeypatch.setattr("toxctl.prune.disk_of", lambda path: hash(Path(path).name))
    monkeypatch.setattr(
        "toxctl.prune.files.free_bytes", lambda *paths: min(free[Path(one).name] for one in paths)
    )
    full.config["keep_free_mb"] = 1 << 20
    full.write_config()
    assert prune(full, "--dry-run")[0] == ["a1", "a2", "a3"]
    free.update(apps=1 << 50, models=0)
    assert prune(full, "--dry-run")[0] == ["m1", "m2", "m3", "m4", "m5"]


def test_what_other_app_hosts_name_stays(full: FakeServer) -> None:
    listed = [
        {"name": "words_of_two", "bytes": 5, "kept": True, "dropped": False},
        {"name": "words_of_other", "bytes": 5, "kept": True, "dropped": False},
    ]
    full.answers(
        "collections",
        f"echo \"$@\" >> {full.root}/asked; echo '{json.dumps({'collections': listed})}'",
    )
    found = full.json("prune", "--named", "words_of_other", "--named", "words_of_two").result
    why = {entry["name"]: entry["why"] for entry in found["keep"]}
    assert why["words_of_two"] == "a release that stays names it"
    assert why["words_of_other"] == "a release of another app host names it"
    asked = (full.root / "asked").read_text()
    assert "--keep words_of_other " in asked
    assert asked.count("--keep words_of_two ") == 1


def test_collections_are_left_if_that_is_asked(full: FakeServer) -> None:
    assert prune(full, "--keep", "2", "--leave-collections")[0] == ["m1", "m2", "m3", "a1"]
    assert not (full.root / "asked").exists()
    done = full.run("prune", "--leave-collections", "--named", "words_of_other")
    assert done.returncode == 2


def test_a_host_on_which_nothing_was_deployed_drops_no_collection(server: FakeServer) -> None:
    """As a new app host of a cluster, whose database the others serve from."""
    server.answers("collections", f'echo "$@" >> {server.root}/asked\n' + NO_COLLECTIONS)
    server.model("half", complete=False)
    done = server.json("prune")
    assert "no model is installed, so no collection is dropped" in done.stdout
    assert done.result["remove"] == []
    assert not (server.root / "asked").exists()
    server.model("whole")
    assert server.json("prune").result["remove"] == []
    assert "--keep words_of_half --keep words_of_whole" in (server.root / "asked").read_text()
