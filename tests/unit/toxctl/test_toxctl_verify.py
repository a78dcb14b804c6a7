"""`toxctl verify`: a model is loaded within its memory before anything is switched."""

from __future__ import annotations

import json

import pytest
from fake_server import FakeServer

from toxctl import memory, systemd

VERIFIED = {"golden_outputs": 2, "worst": 1e-7, "collection": "a.b", "count": 3, "peak_bytes": 9}


def test_model_is_verified_within_its_memory_by_the_services_user(serving: FakeServer) -> None:
    serving.answers(
        "verify",
        f"echo '{json.dumps(VERIFIED)}'; env > {serving.root}/env; "
        f"cat /proc/self/oom_score_adj > {serving.root}/oom",
    )
    path = serving.model("two").path
    found = serving.json("verify", "--model", str(path)).result
    assert (serving.root / "oom").read_text() == "900\n"
    free, limit = found.pop("free_bytes"), found.pop("limit_bytes")
    assert found == VERIFIED
    assert limit == min(300 << 20, free - (64 << 20))
    log = "\n".join(serving.log())
    described = f"--description=tox_com_det: verify {path.name}"
    assert f".scope {described} -p MemoryMax={limit} -p MemorySwapMax=0 sh -c" in log
    assert f" sh {limit} nice -n 10 " in log
    assert "-m tox_com_det.store.verify --model" in log
    environment = (serving.root / "env").read_text().splitlines()
    assert "TOX_COM_DET_MONGODB_URI=mongodb://a/?b=1&c=2" in environment
    assert f"PYTHONPATH={serving.root / 'apps/1.0'}" in environment


def test_app_of_version_0_1_verifies_a_model_too(serving: FakeServer) -> None:
    old = {**VERIFIED, "known_answers": 5}
    del old["golden_outputs"]
    serving.app("0.1.0", store=False)
    serving.answers("verify", f"echo '{json.dumps(old)}'")
    model = serving.model("two", key="known_answers").path
    found = serving.json("verify", "--model", str(model), "--app", "0.1.0").result
    assert found["golden_outputs"] == 5
    assert "known_answers" not in found
    assert "-m tox_com_det.verify --model" in "\n".join(serving.log())


def test_text_says_what_was_found(serving: FakeServer) -> None:
    serving.answers("verify", f"echo '{json.dumps(VERIFIED)}'")
    done = serving.run("verify", "--model", "one")
    assert "2 golden outputs match (largest difference 1e-07), 3 words in a.b" in done.stdout


@pytest.mark.parametrize("good", [True, False])
def test_model_is_marked_as_complete_only_once_it_is_verified(
    serving: FakeServer, good: bool
) -> None:
    answer = VERIFIED if good else {"error": "toxic is nan", "kind": "answers"}
    serving.answers("verify", f"echo '{json.dumps(answer)}'")
    path = serving.model("two", complete=False).path
    done = serving.json("verify", "--model", "two", "--complete")
    assert done.returncode == (0 if good else 1)
    assert (path / ".complete").exists() is good
    if good:
        stamp = (path / ".complete").stat()
        assert stamp.st_mode & 0o777 == 0o644
        assert serving.json("verify", "--model", "two", "--complete").returncode == 0
        assert (path / ".complete").stat().st_mtime_ns == stamp.st_mtime_ns


def test_directory_elsewhere_is_not_marked_as_complete(serving: FakeServer) -> None:
    done = serving.json("verify", "--model", str(serving.root), "--complete")
    assert "so it is not marked" in done.error["error"]


def test_model_that_was_killed_for_its_memory_says_so(serving: FakeServer) -> None:
    serving.answers("verify", "kill -9 $$")
    path = str(serving.model("two").path)
    error = serving.json("verify", "--model", path, "--memory", str(200 << 20)).error
    assert (error["kind"], error["limit_bytes"]) == ("memory", 200 << 20)
    assert "more memory than its limit of 209.7 MB" in error["error"]
    assert [line for line in serving.log() if line.startswith("stop tox_com_det-verify-")]


def test_too_little_memory_is_reported_with_both_numbers_before_anything_is_loaded(
    serving: FakeServer,
) -> None:
    error = serving.json("verify", "--model", "one", "--memory", str(20 << 20)).error
    assert error["kind"] == "memory"
    assert "21.0 MB of the" in error["error"]
    assert "83.9 MB are needed" in error["error"]
    assert not serving.log()


def test_wrong_memory_max_is_a_fault_of_the_configuration(serving: FakeServer) -> None:
    serving.config["memory_max"] = "plenty"
    serving.write_config()
    error = serving.json("verify", "--model", "one").error
    assert error["kind"] == "config"
    assert "flask_app_memory_max" in error["error"]
    # Only verify needs it.
    assert serving.json("status").result["config"]["memory_max"] == "plenty"


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        ("""echo '{"error": "toxic is nan", "kind": "answers"}'; exit 1""", "answers", "is nan"),
        ("echo 'No module named verify' >&2; exit 1", "other", "No module named verify"),
        ("exit 3", "other", "the app could not verify the model: "),
    ],
)
def test_what_the_app_finds_is_passed_on(
    serving: FakeServer, script: str, kind: str, words: str
) -> None:
    serving.answers("verify", script)
    error = serving.json("verify", "--model", str(serving.models["one"].path)).error
    assert error["kind"] == kind
    assert words in error["error"]


def test_damaged_files_are_found_before_the_app_is_asked(serving: FakeServer) -> None:
    model = serving.model("two").path
    (model / "head.onnx").write_bytes(b"head of twO")
    assert serving.json("verify", "--model", str(model)).error["kind"] == "hash"
    (model / "head.onnx").unlink()
    assert serving.json("verify", "--model", str(model)).error["kind"] == "hash"
    for text in ("{", "[]", '{"files": {}}', '{"files": {"../a": {"sha256": "", "bytes": 1}}}'):
        (model / "manifest.json").write_text(text)
        assert serving.json("verify", "--model", str(model)).error["kind"] == "manifest"


def test_app_that_is_not_complete_is_not_run(serving: FakeServer) -> None:
    (serving.root / "apps/1.0/.complete").unlink()
    error = serving.json("verify", "--model", "one").error
    assert "apps/1.0 is missing or not complete" in error["error"]


@pytest.mark.parametrize(
    ("version", "options"),
    [
        (219, ["-p", "MemoryLimit=5"]),
        (231, ["-p", "MemoryMax=5"]),
        (252, ["-p", "MemoryMax=5", "-p", "MemorySwapMax=0"]),
    ],
)
def test_each_systemd_gets_the_limit_in_its_own_words(version: int, options: list[str]) -> None:
    assert systemd.memory_options(version, 5) == options


def test_systemd_of_centos_7_is_recognised(serving: FakeServer) -> None:
    serving.switch("version", "219")
    with serving.inside():
        assert systemd.version() == 219
    (serving.root / "bin/systemctl").write_text("#!/bin/sh\necho none\n")
    with serving.inside(), pytest.raises(systemd.ToxctlError, match="printed no version"):
        systemd.version()


def test_memory_of_this_machine_can_be_read() -> None:
    found = memory.report()
    assert 0 < found["available"] <= found["total"]


@pytest.mark.parametrize("key", ["golden_outputs", "known_answers"])
def test_model_that_scores_every_text_alike_is_not_taken(serving: FakeServer, key: str) -> None:
    serving.answers("verify", f"echo '{json.dumps(VERIFIED)}'")
    golden = {text: [0.138, 0.01] for text in ("idiot", "thanks", "you")}
    path = serving.model("alike", complete=False, key=key, golden=golden).path
    error = serving.json("verify", "--model", "alike", "--complete").error
    assert error["kind"] == "head"
    assert error["error"] == (
        "the 3 golden outputs of alike are all the same, as those of a model without its own word "
        "index: build it again with `fab build-model`"
    )
    assert not (path / ".complete").exists()


def test_live_model_that_scores_alike_does_not_keep_its_app_from_being_replaced(
    serving: FakeServer,
) -> None:
    serving.answers("verify", f"echo '{json.dumps(VERIFIED)}'")
    serving.model("alike", golden={"idiot": [0.138, 0.01], "thanks": [0.138, 0.01]})
    assert serving.json("verify", "--model", "alike").returncode == 0
