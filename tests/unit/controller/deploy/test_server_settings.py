"""What a server reports about itself, and what is said where toxctl is missing or too old."""

from __future__ import annotations

import json
from typing import Any

import pytest
from local_remote import LocalRemote

from controller.deploy.errors import DeployError
from controller.deploy.remote import Done
from controller.deploy.server import Server
from controller.deploy.server_settings import ServerSettings

CONFIG = {
    "user": "tox_com_det", "unit": "tox_com_det@{slot}.service", "models_dir": "/srv/models",
    "dumps_dir": "/srv/dumps", "incoming_dir": "/srv/incoming", "releases_dir": "/opt/releases",
    "wheel_target": "debian12", "http_port": 80, "https_port": None, "public_url": None,
    "keep_releases": 5, "keep_free_mb": 2048, "memory_max": "300M",
}  # fmt: skip


def settings(**changes: Any) -> ServerSettings:
    return ServerSettings.from_status({"config": {**CONFIG, **changes}}, "nanode")


@pytest.mark.parametrize(
    ("done", "words"),
    [
        (
            Done("", "sudo: /usr/local/sbin/toxctl: command not found\n", 1),
            r"no working /usr/local/sbin/toxctl \(sudo: .*\): run `ansible-playbook site.yml`",
        ),
        (
            Done("", "sh: 1: /usr/local/sbin/toxctl: not found\n", 127),
            r"no working /usr/local/sbin/toxctl \(sh: .*\): run `ansible-playbook site.yml`",
        ),
        (
            Done("", "usage: toxctl\ntoxctl: error: unrecognized arguments: --quick\n", 2),
            r"is too old for this checkout \(.*--quick\): run `ansible-playbook site.yml` to up",
        ),
        (Done("Killed\n", "", 137), r"exit code 137 and without an answer \(Killed\): rerun"),
        (Done("", "", 0), r"exit code 0 and without an answer \(no output\)"),
    ],
    ids=["missing", "missing for root", "too old", "killed", "silent"],
)
def test_server_without_a_usable_toxctl_is_one_line_with_the_playbook(
    remote: LocalRemote, done: Done, words: str
) -> None:
    remote.answers["status"] = done
    with pytest.raises(DeployError, match=words) as caught:
        Server(remote)
    assert "\n" not in str(caught.value)


def test_server_is_asked_once_when_a_task_begins(remote: LocalRemote) -> None:
    server = Server(remote)
    assert remote.calls == [["status", "--quick"]]
    assert server.settings.models_dir == str(remote.root / "models")


def test_settings_that_toxctl_does_not_report_name_the_playbook() -> None:
    config = {key: value for key, value in CONFIG.items() if key not in ("unit", "user")}
    status = {"version": "0.1.9", "config": config}
    words = "toxctl 0.1.9 on nanode does not report user, unit: run `ansible-playbook site.yml`"
    with pytest.raises(DeployError, match=words):
        ServerSettings.from_status(status, "nanode")


def test_settings_of_a_newer_toxctl_are_accepted() -> None:
    assert settings(surprise=1) == settings()


@pytest.mark.parametrize(
    ("public", "port", "address", "url"),
    [
        (None, 80, "192.0.2.1", "http://192.0.2.1"),
        (None, 8080, "2001:db8::1", "http://[2001:db8::1]:8080"),
        ("https://tox.example/", 80, "192.0.2.1", "https://tox.example"),
    ],
)
def test_url_is_the_public_one_if_there_is_one(
    public: str | None, port: int, address: str, url: str
) -> None:
    assert settings(public_url=public, http_port=port).url(address) == url


@pytest.mark.parametrize(
    ("port", "url"), [(443, "https://192.0.2.1"), (8443, "https://192.0.2.1:8443")]
)
def test_url_is_https_where_the_server_speaks_tls(port: int, url: str) -> None:
    assert settings(https_port=port).url("192.0.2.1") == url


def test_refusal_of_toxctl_keeps_its_kind_and_its_details(remote: LocalRemote) -> None:
    error = {"error": "server.json has no unit", "kind": "config", "details": {"unit": None}}
    remote.answers["status"] = Done(json.dumps(error) + "\n", "", 1)
    with pytest.raises(DeployError, match="has no unit") as caught:
        Server(remote)
    assert '"unit": null' in caught.value.details
