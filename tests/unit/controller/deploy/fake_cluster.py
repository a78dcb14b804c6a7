"""Three app hosts and a balancer, each a directory or a class, and a roll over them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import toxctl_answers as good
from local_remote import Answer, LocalProcess, LocalRemote, error, lines, result, went_well

from controller.deploy import gate, roll
from controller.deploy.attempt import attempt
from controller.deploy.commands import TOXCTL
from controller.deploy.inventory import Host
from controller.deploy.remote import ConnectionLost, Done
from controller.deploy.server import Server
from controller.deploy.tasks.rollback import rollback

__all__ = ["BACK", "NAMES", "NEW", "BalancerRemote", "Cluster", "rolled"]

NEW = "/srv/tox_com_det/models/new"
NAMES = ("app1", "app2", "app3")
BACK = {"name": "", "status": "UP", "check": "L7OK/200", "sessions": 0, "serves": True}


class HoldOut(LocalProcess):
    """`toxctl balancer hold-out`: one answer at once, one when its input is closed."""

    def __init__(self, cluster: Cluster, host: str) -> None:
        super().__init__(lambda _: Done("", "", 0))
        self.cluster, self.host = cluster, host
        self.left = []
        taken_out = host not in cluster.alone
        cluster.events.append(f"{host} out" if taken_out else f"{host} stays")
        self.left.append(json.dumps({"result": {"taken_out": taken_out}}))

    def __iter__(self) -> Iterator[str]:
        if self.cluster.lost and not self.left:
            raise ConnectionLost("gone")
        while self.left:
            yield self.left.pop(0)

    def close_input(self) -> None:
        self.cluster.events.append(f"{self.host} back")
        if self.cluster.lost:
            return
        if self.host in self.cluster.unhealthy:
            words = {"error": f"{self.host} does not pass the check", "kind": "balancer"}
            self.left.append(json.dumps(words))
        else:
            result = {**BACK, "taken_out": self.host not in self.cluster.alone}
            self.left.append(json.dumps({"result": result}))


class BalancerRemote:
    """The balancer's toxctl."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.host = Host("lb1", "192.0.2.1", 22, "deploy")

    def ping(self) -> None:
        if self.cluster.lost:
            raise ConnectionLost("gone")

    def start(self, arguments: Sequence[str]) -> LocalProcess:
        assert list(arguments[:2]) == [TOXCTL, "--json"]
        if self.cluster.cut:
            raise ConnectionLost("gone")
        if arguments[2] == "certificate":
            self.cluster.events.append(" ".join(arguments[3:]))
            return LocalProcess(lambda _: self.cluster.certificate)
        assert arguments[2] == "balancer"
        if arguments[3] == "hold-out":
            return HoldOut(self.cluster, arguments[4])
        states = {"app1": "UP", "app2": "DRAIN", "app3": "DOWN"}
        hosts = [
            {**BACK, "name": name, "status": state, "serves": state == "UP", "check": ""}
            for name, state in states.items()
        ]
        return LocalProcess(lambda _: result({"hosts": hosts}))


class Cluster:
    """Three app hosts and a balancer.

    Attributes:
        events: what happened, in order.
        alone: app hosts that the balancer does not take out.
        unhealthy: app hosts that fail the balancer's check afterwards.
        lost: the connection to the balancer is lost while a host is out.
        cut: it was lost before.
        certificate: what the balancer's toxctl answers about it.
    """

    def __init__(self, root: Path) -> None:
        self.events: list[str] = []
        self.alone: set[str] = set()
        self.unhealthy: set[str] = set()
        self.lost = self.cut = False
        self.certificate = error("this server speaks plain HTTP: set tls_mode", "config")
        self.remotes = {}
        for name in NAMES:
            remote = LocalRemote(root / name)
            remote.host = replace(
                remote.host, name=name, in_cluster=True, parts=("app",), balancers=("lb1",)
            )
            remote.confirm(good.confirmed(previous={"model": good.OLD, "app": good.APP}))
            went_well(remote, NEW)
            remote.answers["activate"] = self.switching(name, lines(*good.activated(NEW)))
            self.remotes[name] = remote

    def switching(self, name: str, answer: Done) -> Answer:
        """The answer to `activate`, after which the release and the one before it are swapped."""

        def switch() -> Done:
            self.events.append(f"{name} switches")
            if '"changed": true' in answer.stdout:
                remote = self.remotes[name]
                before = json.loads((remote.root / "state" / "confirmed.json").read_text())
                live = good.OLD if before["model"] == NEW else NEW
                remote.confirm(good.confirmed(live, previous=before))
            return answer

        return switch

    @property
    def hosts(self) -> list[Host]:
        return [remote.host for remote in self.remotes.values()]

    def ends(self) -> list[str | None]:
        """How the first session on each host ended."""
        firsts = [remote.sessions[0].end for remote in self.remotes.values() if remote.sessions]
        return [end["result"] if end else None for end in firsts]


def deploy(server: Server, *, dry_run: bool) -> bool:
    """An attempt that only switches."""
    assert not dry_run
    with attempt(server, "deploy-model", "new") as now:
        now.note(**{"from": gate.app_and_model(server.status["confirmed"])})
        now.enter("activate")
        return gate.switch(now, "model new", model=NEW)


def rolled(cluster: Cluster, all_or_none: bool = False) -> None:
    roll.roll(cluster.hosts, None, deploy, "deploy-model", rollback if all_or_none else None)
