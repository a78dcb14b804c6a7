"""What the tests of the laptop's tasks share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fake_cluster import BalancerRemote, Cluster
from local_remote import LocalRemote

from controller.deploy import reach, roll
from controller.deploy.inventory import Host
from controller.deploy.model_builder import build_bundle
from controller.deploy.server import Server


@pytest.fixture
def remote(tmp_path: Path) -> LocalRemote:
    """A server that is a directory."""
    return LocalRemote(tmp_path / "remote")


@pytest.fixture(scope="session")
def built_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample model's bundle, built once. Not to be changed: copy it."""
    out = tmp_path_factory.mktemp("built") / "bundle"
    build_bundle(None, None, out, say=lambda _: None)
    return out


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Three app hosts and a balancer, which a roll finds."""
    made = Cluster(tmp_path)

    @contextmanager
    def opened(host: Host) -> Iterator[Server]:
        made.events.append(f"{host.name} opened")
        yield Server(made.remotes[host.name])

    @contextmanager
    def connect(_: Host) -> Iterator[BalancerRemote]:
        yield BalancerRemote(made)

    monkeypatch.setattr(roll, "opened", opened)
    monkeypatch.setattr(roll, "connect", connect)
    monkeypatch.setattr(reach, "connect", connect)
    monkeypatch.setattr(roll, "read_hosts", lambda _, limit: [Host(limit, "192.0.2.1", 22, "d")])
    return made
