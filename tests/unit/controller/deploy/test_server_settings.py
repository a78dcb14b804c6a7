"""What a server says about itself, and what is said where it says nothing."""

from __future__ import annotations

import json

import pytest
from local_remote import LocalRemote

from controller.deploy.connection import Done
from controller.deploy.errors import DeployError
from controller.deploy.server import ServerConfig
from controller.deploy.servers import Server


def test_machine_that_is_not_set_up_names_the_playbook(remote: LocalRemote) -> None:
    remote.run = lambda command: Done("", "No such file", 1)  # type: ignore[method-assign]  # a stand-in
    with pytest.raises(DeployError, match=r"type `ansible-playbook site.yml`"):
        Server(remote)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"surprise": 1}, "an unknown surprise"),
        ({"user": None}, "user is None"),
        ({"http_port": "80"}, "http_port is '80'"),
        ({"format": 2}, "not in format 1"),
    ],
)
def test_server_json_of_another_form_is_refused(
    remote: LocalRemote, change: dict, words: str
) -> None:
    text = json.dumps({**remote.server_json, **change})
    with pytest.raises(DeployError, match=words):
        ServerConfig.parse(text, "nanode")


def test_missing_key_of_server_json_is_named(remote: LocalRemote) -> None:
    del remote.server_json["env_file"]
    with pytest.raises(DeployError, match="no env_file"):
        ServerConfig.parse(json.dumps(remote.server_json), "nanode")


@pytest.mark.parametrize(
    ("public", "port", "address", "url"),
    [
        (None, 80, "192.0.2.1", "http://192.0.2.1"),
        (None, 8080, "2001:db8::1", "http://[2001:db8::1]:8080"),
        ("https://tox.example/", 80, "192.0.2.1", "https://tox.example"),
    ],
)
def test_url_is_the_public_one_where_there_is_one(
    remote: LocalRemote, public: str | None, port: int, address: str, url: str
) -> None:
    remote.server_json.update(public_url=public, http_port=port)
    assert remote.config.url(address) == url
