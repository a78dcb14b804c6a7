"""Fixtures: the host's variables, its server.json, and the deployed bundle."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from waiting import until

from tox_com_det.model.manifest import Manifest

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
# Ends a hang, is no promise: on a busy machine everything takes longer.
HANG_SECONDS = 300


class Client(requests.Session):
    """A client without a proxy that waits for a busy machine."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        # A test may have restarted nginx, which closes the connections that it keeps.
        self.headers["Connection"] = "close"

    def request(self, *arguments: Any, **more: Any) -> requests.Response:
        return super().request(*arguments, **{"timeout": HANG_SECONDS, **more})


@pytest.fixture(scope="session")
def manifest() -> Manifest:
    return Manifest.load(PROJECT / "build/bundle/manifest.json")


@pytest.fixture(scope="module")
def variables(host):
    return host.ansible.get_variables()


@pytest.fixture(scope="module")
def database(variables) -> str:
    """The database's unit."""
    provider = variables.get("mongodb_provider", "mongodb-org")
    return {"mongodb-org": "mongod", "secantusdb": "secantusdb"}[provider]


@pytest.fixture(scope="module")
def systemd(host) -> int:
    """The version of systemd."""
    return int(host.check_output("systemctl --version").split()[1])


@pytest.fixture(scope="module")
def python(server) -> str:
    """The Python 3.11 that the slots run on; CentOS 7 has no other Python 3."""
    return server["python"]


@pytest.fixture(scope="module")
def url(variables) -> str:
    return variables["nginx_public_url"]


@pytest.fixture(scope="module")
def server(host) -> dict:
    return json.loads(host.file("/etc/tox_com_det/server.json").content_string)


@pytest.fixture(scope="module")
def live_slot(host, server) -> str:
    target = host.check_output("readlink %s", server["live_link"])
    (slot,) = (name for name in server["slots"] if server["socket"].format(slot=name) == target)
    return slot


@pytest.fixture(scope="session")
def http() -> requests.Session:
    return Client()


@pytest.fixture
def rested(http, url):
    """After a flood, wait until this client is accepted again, so that other tests are."""
    limits = http.get(f"{url}/limits").json()
    yield
    until(lambda: http.get(f"{url}/readyz").status_code == 200)
    # As long as nginx needs to allow the whole burst again.
    time.sleep(limits["burst"] / limits["requests_per_second"])


@pytest.fixture
def slow_refill(host, rested):
    """One request a second above the burst, which the slowest machine exceeds."""
    config = "/etc/nginx/nginx.conf"
    with host.sudo():
        host.check_output(f"cp -a {config} /root/nginx.conf.kept")
    try:
        with host.sudo():
            edited = host.check_output(
                f"sed -i '/zone=address_requests:/s/rate=[0-9]*r/rate=1r/'"
                f" {config} && grep -c rate=1r/s {config} && systemctl reload nginx.service"
            )
        assert edited == "1"
        yield
    finally:
        with host.sudo():
            host.check_output(
                f"mv /root/nginx.conf.kept {config} && systemctl reload nginx.service"
            )
