"""A failure on one of several hosts names that host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from local_remote import LocalRemote, error

from controller.deploy import reach
from controller.deploy.errors import DeployError
from controller.deploy.inventory import Host
from controller.deploy.reach import Reach, on_each_server
from controller.deploy.server import Server


@pytest.fixture
def remotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, LocalRemote]:
    """Two servers that are directories."""
    made = {name: LocalRemote(tmp_path / name) for name in ("one", "two")}
    for name, remote in made.items():
        remote.host = replace(remote.host, name=name)

    @contextmanager
    def opened(host: Host) -> Iterator[Server]:
        yield Server(made[host.name])

    monkeypatch.setattr(reach, "opened", opened)
    return made


def ask(server: Server, *, dry_run: bool) -> None:
    server.toxctl("history").result()


@pytest.mark.parametrize("verb", ["status", "history"])
def test_refusal_of_toxctl_names_its_host(remotes: dict[str, LocalRemote], verb: str) -> None:
    for remote in remotes.values():
        remote.answers["history"] = error("the log is damaged")
        remote.answers[verb] = error("the disk is full")
    hosts = [remote.host for remote in remotes.values()]
    with pytest.raises(DeployError, match=r"^one: the disk is full; two: the disk is full$"):
        on_each_server(ask, hosts, False, Reach(asks=True))
    with pytest.raises(DeployError, match=r"^one: the disk is full \(failed: one, not begun: two"):
        on_each_server(ask, hosts, False)


def test_server_that_is_opened_alone_is_named_too(remotes: dict[str, LocalRemote]) -> None:
    remotes["one"].answers["status"] = error("the disk is full")
    with pytest.raises(DeployError, match=r"^one: the disk is full$"):
        on_each_server(ask, [remotes["one"].host], False)
