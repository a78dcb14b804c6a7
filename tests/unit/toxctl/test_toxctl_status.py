"""`toxctl status`: what is live, what is installed, and how the slots are."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from fake_server import FakeServer

from toxctl.version import __version__


@pytest.fixture
def filled(serving: FakeServer) -> FakeServer:
    """Model `two` is live, `one` was before it; app 2.0 was never live."""
    serving.app("2.0")
    two = serving.model("two")
    os.utime(serving.models["one"].path / ".complete", (1, 1))
    assert serving.activate("--model", str(two.path), watch="0").returncode == 0
    return serving


def test_status_has_the_slots_and_what_the_laptop_needs_to_know(serving: FakeServer) -> None:
    report = serving.json("status").result
    assert report["live"] == "blue"
    assert report["slots"]["blue"]["ready"]["status"] == 200
    assert report["slots"]["blue"]["model"] == str(serving.models["one"].path)
    assert report["slots"]["green"]["active"] == "inactive"
    assert report["slots"]["green"]["ready"] is None
    assert (report["version"], report["confirmed"]) == (__version__, serving.confirmed())
    assert (report["activation"], report["lock"], report["unfinished"]) == (None, None, False)
    keys = (
        "user",
        "unit",
        "models_dir",
        "dumps_dir",
        "incoming_dir",
        "releases_dir",
        "wheel_target",
        "http_port",
        "https_port",
        "public_url",
        "keep_releases",
        "keep_free_mb",
        "memory_max",
    )
    assert report["config"] == {key: serving.config[key] for key in keys}
    assert set(report["memory"]) == {"limit", "used", "available", "total"}
    assert "manifest" not in report


def test_status_lists_releases_the_newest_first(filled: FakeServer) -> None:
    filled.model("half", complete=False)
    (filled.root / "incoming" / "ab.part").write_text("12345")
    report = filled.json("status").result
    assert [one["name"] for one in report["models"]] == ["half", "two", "one"]
    two = report["models"][1]
    assert (two["live"], two["previous"], two["running"]) == (True, False, True)
    assert (two["collection"], two["model"]) == ("word_embeddings.words_of_two", "sample")
    assert two["version"] == "two"
    assert [one["name"] for one in report["models"] if one["previous"]] == ["one"]
    assert [one["name"] for one in report["models"] if not one["complete"]] == ["half"]
    assert sorted(one["name"] for one in report["apps"]) == ["1.0", "2.0"]
    assert "pinned" not in two
    assert report["uploads"] == {"files": 1, "bytes": 5}
    assert report["free_bytes"] > 0


@pytest.mark.parametrize(
    ("sequence", "most"),
    [
        ({"length": 9, "windows": {"most": 16, "stride": 4, "pooling": "max"}}, 16),
        ({"length": 9}, None),
        ({"windows": 3}, None),
        ({"windows": {"most": True}}, None),
        (None, None),
    ],
)
def test_status_says_in_how_many_windows_a_model_reads_texts(
    filled: FakeServer, sequence: Any, most: int | None
) -> None:
    path = filled.models["two"].path / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "sequence": sequence}))
    assert filled.json("status").result["models"][0]["windows"] == most
    assert ("up to 16 windows" in filled.run("status").stdout) == (most == 16)


@pytest.mark.parametrize(
    ("tokenizer", "step"),
    [({"normalization": "unicode"}, "unicode"), ({"lower": True}, "keras"), (None, "keras")],
)
def test_status_says_how_a_model_normalizes_texts(
    filled: FakeServer, tokenizer: Any, step: str
) -> None:
    path = filled.models["two"].path / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "tokenizer": tokenizer}))
    two = filled.json("status").result["models"][0]
    assert (two["name"], two["normalization"]) == ("two", step)
    assert ("normalization unicode" in filled.run("status").stdout) == (step == "unicode")


@pytest.mark.parametrize(
    ("built_with", "said"),
    [
        ({"onnx": "1.15.0", "settings": "padding pre (assumed)"}, "padding pre (assumed)"),
        ({"onnx": "1.15.0"}, None),
        ({"settings": 1}, None),
        (None, None),
    ],
)
def test_status_passes_on_what_a_build_said_of_its_settings(
    filled: FakeServer, built_with: Any, said: str | None
) -> None:
    path = filled.models["two"].path / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "built_with": built_with}))
    assert filled.json("status").result["models"][0]["settings"] == said


def test_quick_status_asks_no_slot_and_measures_nothing(serving: FakeServer) -> None:
    serving.models["one"].ready = (503, "not asked")
    report = serving.json("status", "--quick").result
    assert report["slots"]["blue"]["ready"] is None
    assert not {"models", "apps", "uploads", "free_bytes", "memory"} & set(report)
    assert serving.run("status", "--quick").stdout.splitlines()[0] == "live: blue"


def test_status_can_include_the_live_models_manifest(serving: FakeServer) -> None:
    report = serving.json("status", "--quick", "--manifest").result
    assert report["manifest"]["model_version"] == "one"
    assert '"model_version": "one"' in serving.run("status", "--quick", "--manifest").stdout


def test_status_of_a_server_without_a_model(server: FakeServer) -> None:
    report = server.json("status", "--manifest").result
    assert (report["live"], report["confirmed"], report["manifest"]) == (None, None, None)
    assert report["slots"]["blue"]["model"] is None
    assert server.run("status").stdout.startswith("live: nothing yet (fab deploy-model)\n")


def test_status_as_text(filled: FakeServer) -> None:
    filled.set_unit("green", "memory", str(90_000_000))
    filled.model("half", complete=False)
    lines = filled.run("status").stdout.splitlines()
    assert lines[0] == "live: green"
    assert lines[1].startswith("  blue   inactive/dead, disabled, model one")
    assert lines[2] == "* green  active/running, enabled, model two, app 1.0, 90.0 MB, ready"
    text = "\n".join(lines)
    assert "model two, 0.0 MB, live, running" in text
    assert "model one, 0.0 MB, previous" in text
    assert "model half, 0.0 MB, not complete" in text
    assert "uploads: 0, 0.0 MB" in text
    assert "MB available of" in lines[-1]


def test_status_shows_what_a_slot_that_is_not_ready_answers(serving: FakeServer) -> None:
    serving.models["one"].ready = (503, {"checks": {"database": "does not answer"}})
    assert "NOT READY: " in serving.run("status").stdout
    serving.http.shutdown()
    serving.http.server_close()
    ready = serving.json("status").result["slots"]["blue"]["ready"]
    assert ready["status"] is None
    assert "does not answer" in ready["answer"]


def test_systemctl_that_fails_or_is_missing_is_an_error(serving: FakeServer) -> None:
    serving.switch("fail", "show")
    error = serving.json("status").error
    assert error["error"].startswith("systemctl show tox_com_det@blue.service")
    assert "no luck" in error["error"]
    for name in ("systemctl",):
        (serving.root / "bin" / name).unlink()
    serving.root.joinpath("bin/systemctl").mkdir()
    assert serving.json("status").returncode == 1
