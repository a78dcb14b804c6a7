"""Fixtures: the server's address, toxctl, fab, and a client that trusts what pebble issued."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
sys.path.insert(0, str(PROJECT / "bench"))
NAME = "toxic.test"
HANG_SECONDS = 300


@pytest.fixture(scope="module")
def address(host) -> str:
    """The container's own address."""
    return host.check_output("hostname -I").split()[0]


@pytest.fixture
def toxctl(host) -> Callable[..., dict[str, Any]]:
    """`toxctl certificate` with JSON: its result, or its error."""

    def call(*words: str) -> dict[str, Any]:
        with host.sudo():
            done = host.run(" ".join(["/usr/local/sbin/toxctl", "--json", "certificate", *words]))
        last = json.loads(done.stdout.splitlines()[-1])
        return last.get("result", last)

    return call


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the laptop's environment, or a script of the checkout, on the server."""
    directory = PROJECT if "/" in program else Path(sys.executable).parent
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "MOLECULE_"))}
    own = {"ANSIBLE_INVENTORY": str(SCENARIO / "inventory"), "NO_COLOR": "1"}
    return subprocess.run(  # noqa: S603 (fixed words, no shell)
        [str(directory / program), *arguments],
        cwd=PROJECT,
        env={**inherited, **own},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def context(host) -> Callable[[], ssl.SSLContext]:
    """Trust the root that pebble has now: it makes another one at each start."""

    def make() -> ssl.SSLContext:
        words = "curl --silent --fail --cacert /etc/pebble/ca.pem https://localhost:15000/roots/0"
        with host.sudo():
            return ssl.create_default_context(cadata=host.check_output(words))

    return make


def handshake(address: str, name: str, trust: ssl.SSLContext, *protocols: str) -> ssl.SSLSocket:
    """Return a connection whose certificate proved to be for the name; its caller closes it."""
    if protocols:
        trust.set_alpn_protocols(list(protocols))
    raw = socket.create_connection((address, 443), HANG_SECONDS)
    return trust.wrap_socket(raw, server_hostname=name)
