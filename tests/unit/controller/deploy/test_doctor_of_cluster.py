"""`fab doctor` in a cluster: on the balancer and on the host of the database as well."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from local_remote import LocalRemote, error, result
from test_doctor import NOW, healthy

from controller.deploy import reach
from controller.deploy.balancer import Balancer, Machine
from controller.deploy.errors import DeferredError, DeployError
from controller.deploy.inventory import Host, read_hosts
from controller.deploy.reach import Reach, run_on_hosts
from controller.deploy.server import Server
from controller.deploy.tasks import doctor

FIREWALL = {"services": [], "ports": [], "tls": []}
WELL = healthy(firewall={"services": [], "ports": ["22/tcp"]})
UP = {"name": "app1", "status": "UP", "check": "L7OK/200", "sessions": 0, "serves": True}
PLAIN = error("this server speaks plain HTTP: set tls_mode", "config")


@pytest.fixture
def machine(remote: LocalRemote, monkeypatch: pytest.MonkeyPatch) -> LocalRemote:
    """A balancer that is well, with the database beside it."""
    monkeypatch.setattr(doctor.time, "time", lambda: NOW)
    remote.host = replace(
        remote.host, name="lb1", parts=("balancer", "database"), firewall=FIREWALL
    )
    answer(remote)
    return remote


def answer(remote: LocalRemote, **health: object) -> None:
    memory = {"limit": None, "used": None, "available": 10**9, "total": 10**9}
    remote.answers |= {
        "health": result({"version": "x", "memory": memory, "health": {**WELL, **health}}),
        "balancer": result({"hosts": [UP]}),
        "certificate": PLAIN,
    }


def findings(machine: Machine, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    try:
        doctor.doctor(machine, as_json=True)
    except DeferredError as refused:
        assert "see above" in str(refused)  # noqa: PT017 (it depends on the findings)
    found = json.loads(capsys.readouterr().out)
    assert found["server"] == machine.name
    return list(found["findings"])


def test_a_balancer_that_is_well_has_no_finding(machine, capsys):
    assert findings(Balancer(machine), capsys) == []


@pytest.mark.parametrize(
    ("host", "what", "do"),
    [
        ({"status": "DRAIN"}, "app1 is held out", "`sudo toxctl balancer ready app1`"),
        ({"status": "DOWN", "check": "L4CON"}, "(DOWN, check L4CON)", "`fab doctor --limit app1`"),
        ({"status": "DOWN", "check": ""}, "check none yet", "`fab doctor --limit app1`"),
    ],
)
def test_an_app_host_without_requests_is_a_finding(machine, capsys, host, what, do):
    machine.answers["balancer"] = result({"hosts": [UP, {**UP, "serves": False, **host}]})
    (found,) = findings(Balancer(machine), capsys)
    assert found["check"] == "balancer"
    assert what in found["what"]
    assert do in found["do"]


def test_a_balancer_that_does_not_answer_is_a_finding_beside_the_others(machine, capsys):
    answer(machine, stopped=["haproxy.service"])
    machine.answers["balancer"] = error("HAProxy does not answer: run `systemctl x`", "balancer")
    first, second = findings(Balancer(machine), capsys)
    assert (first["what"], first["do"]) == ("HAProxy does not answer", "run `systemctl x`")
    assert second["what"] == "haproxy.service does not run"


def test_the_certificate_of_the_balancer_is_judged(machine, capsys):
    machine.answers["certificate"] = result({"problem": "it ends soon: run `fab x`"})
    (found,) = findings(Balancer(machine), capsys)
    assert found == {"check": "certificate", "what": "it ends soon", "do": "run `fab x`"}
    machine.answers["certificate"] = result({"problem": None})
    assert findings(Balancer(machine), capsys) == []
    machine.answers["certificate"] = error("it cannot be read")
    with pytest.raises(DeployError, match="it cannot be read"):
        doctor.doctor(Balancer(machine))


def test_the_host_of_a_database_is_judged_as_a_machine(machine, capsys):
    answer(machine, stopped=["mongod.service"], time=NOW - 300)
    assert {one["check"] for one in findings(Machine(machine), capsys)} == {"units", "clock"}
    assert [call[0] for call in machine.calls] == ["health"]


def test_the_port_of_tls_is_let_in_by_the_inventory(machine, capsys):
    machine.host = replace(machine.host, firewall={**FIREWALL, "tls": ["8443"]})
    (found,) = findings(Machine(machine), capsys)
    assert "does not let in 8443/tcp" in found["what"]


def test_a_dry_run_asks_nothing(machine, capsys):
    doctor.doctor(Balancer(machine), dry_run=True)
    assert machine.calls == []
    said = capsys.readouterr().out
    for words in ("toxctl --json health", "balancer status", "certificate status"):
        assert words in said
    doctor.doctor(Machine(machine), dry_run=True)
    assert "balancer" not in capsys.readouterr().out


def test_every_host_is_asked_as_what_it_is_and_one_that_is_gone_ends_nothing(monkeypatch):
    parts = {"app1": ("app",), "lb1": ("balancer",), "db1": ("database",)}
    hosts = [
        Host(name, "192.0.2.1", 22, "d", in_cluster=True, parts=of, balancers=("lb1",))
        for name, of in parts.items()
    ]

    @contextmanager
    def gone(host: Host) -> Iterator[Server]:
        raise DeployError(f"{host.name} is not reachable")
        yield

    seen = []

    def act(server: Machine, *, dry_run: bool) -> None:
        seen.append((server.name, type(server)))

    monkeypatch.setattr(reach, "read_hosts", lambda *_: hosts)
    monkeypatch.setattr(reach, "opened", gone)
    monkeypatch.setattr(reach, "connect", connected)
    with pytest.raises(DeployError, match=r"^app1 is not reachable$"):
        run_on_hosts(act, "task", Reach(every=True, asks=True), None, None, False, False)
    assert seen == [("lb1", Balancer), ("db1", Machine)]
    with pytest.raises(DeployError, match="failed: app1, not begun: lb1 db1"):
        run_on_hosts(act, "task", Reach(every=True), None, None, False, False)


@contextmanager
def connected(host: Host) -> Iterator[SimpleNamespace]:
    yield SimpleNamespace(host=host)


def test_the_inventory_says_what_each_part_lets_in(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(
        "tox_com_det: {vars: {tls_mode: acme, tls_listen_port: 8443, "
        "balancer_listen_port: 8000}, children: {"
        "app: {hosts: {app1: }}, database: {hosts: {db1: }}, balancer: {hosts: {lb1: }}}}"
    )
    closed = {
        host.name: host.firewall["closed"] for host in read_hosts(str(tmp_path / "hosts.yml"))
    }
    assert closed == {"app1": ["http", "https"], "db1": ["http", "https"], "lb1": []}
    (tmp_path / "one.yml").write_text("tox_com_det: {hosts: {a: {tls_mode: off}, b: }}")
    for host in read_hosts(str(tmp_path / "one.yml")):
        expected = {"services": ["http", "https"], "closed": [], "ports": []}
        assert host.firewall == {**expected, "web": ["80"], "tls": []}
    web_and_tls = {
        host.name: (host.firewall["web"], host.firewall["tls"])
        for host in read_hosts(str(tmp_path / "hosts.yml"))
    }
    assert web_and_tls == {"app1": ([], []), "db1": ([], []), "lb1": (["8000"], ["8443"])}
