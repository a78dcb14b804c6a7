"""server.json: read by toxctl alone, with every fault of it in one line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_server import FakeServer

from toxctl import config

KEYS = (
    "slots",
    "live_link",
    "unit",
    "drain_seconds",
    "user",
    "python",
    "wheel_target",
    "models_dir",
    "dumps_dir",
    "incoming_dir",
    "releases_dir",
    "slots_dir",
    "state_dir",
    "app_link",
    "env_file",
    "socket",
    "probe_url",
    "memory_max",
    "http_port",
    "keep_releases",
    "keep_free_mb",
    "watch_seconds",
)


@pytest.mark.parametrize("key", KEYS)
def test_missing_key_is_named(server: FakeServer, key: str) -> None:
    del server.config[key]
    server.write_config()
    done = server.run("status")
    assert done.returncode == 1
    assert f"has no {key}: run `ansible-playbook site.yml --tags flask_app`" in done.stderr
    assert done.stderr.count("\n") == 1
    assert server.json("status").error["kind"] == "config"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("slots", ["blue"]),
        ("slots", "blue"),
        ("slots", ["blue", ""]),
        ("user", ""),
        ("user", 5),
        ("keep_releases", "5"),
        ("keep_releases", True),
        ("keep_releases", 1.5),
        ("drain_seconds", "3"),
        ("public_url", 5),
        ("lock_file", None),
    ],
)
def test_wrong_value_is_named(server: FakeServer, key: str, value: Any) -> None:
    server.config[key] = value
    server.write_config()
    assert f"has a wrong {key} ({json.dumps(value)})" in server.run("status").stderr


def test_all_faults_are_named_at_once(server: FakeServer) -> None:
    del server.config["user"], server.config["unit"]
    server.config["http_port"] = "80"
    server.write_config()
    error = server.json("lock").error["error"]
    assert "has no user, has no unit, has a wrong http_port" in error


def test_unknown_keys_are_ignored_and_optional_ones_have_defaults(server: FakeServer) -> None:
    for key in ("lock_file", "deploy_lock_file", "public_url"):
        del server.config[key]
    server.config["added_later"] = 1
    server.write_config()
    found = config.load(str(server.config_path))
    assert found.lock_file == "/run/tox_com_det-activate.lock"
    assert found.deploy_lock_file == "/run/tox_com_det-deploy.lock"
    assert found.public_url is None
    assert config.DEFAULT_PATH == "/etc/tox_com_det/server.json"


@pytest.mark.parametrize("text", [None, "{", "[]", "{}", '{"format": 2}'])
def test_file_that_is_missing_or_of_another_form_is_one_line(
    server: FakeServer, text: str | None
) -> None:
    server.config_path.unlink()
    if text is not None:
        server.config_path.write_text(text)
    done = server.run("status")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert str(server.config_path) in done.stderr
    activate = server.json("activate")
    assert (activate.error["kind"], activate.error["back_seconds"]) == ("config", None)


def test_a_number_too_long_to_read_is_said_plainly(server: FakeServer) -> None:
    server.config_path.write_text('{"format": ' + "1" * 5000 + "}")
    assert "(a number has 5000 digits, the limit is 4300)" in server.run("status").stderr


@pytest.mark.parametrize(
    ("text", "size"), [("300M", 300 << 20), ("1G", 1 << 30), ("5", 5), (" 2K ", 2048)]
)
def test_memory_limit_is_read_as_systemd_reads_it(server: FakeServer, text: str, size: int) -> None:
    server.config["memory_max"] = text
    server.write_config()
    assert config.load(str(server.config_path)).memory_max_bytes == size
