"""`fab doctor`: each thing that is wrong is one line what and one line what to type."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

import pytest
import toxctl_answers as good
from local_remote import LocalRemote, result

from controller.deploy import predict
from controller.deploy.diagnosis import Finding, diagnose, out_of_support
from controller.deploy.errors import DeferredError, DeployError
from controller.deploy.lifetimes import LIFETIMES, lifetime
from controller.deploy.paths import ROOT
from controller.deploy.server import Server
from controller.deploy.tasks import doctor
from controller.deploy.typed import typed

TODAY = date(2026, 11, 26)
NOW = 1_800_000_000.0
WANTED = {"services": ["http", "https"], "ports": []}
UNIT = "tox_com_det@blue.service"


def healthy(**changes: Any) -> dict[str, Any]:
    """The facts of a machine that is well."""
    base = {
        "time": NOW, "failed": [], "stopped": [], "killed": [], "reboot": [],
        "swap": {"total": 1 << 30, "free": 1 << 30}, "ssh_ports": ["22"],
        "disks": [{"path": "/", "bytes": 10**10, "free": 10**9 * 5,
                   "inodes": 10**6, "inodes_free": 10**5 * 9}],
        "versions": {"os": "debian 12", "os_name": "Debian GNU/Linux", "python": "3.11.2",
                     "mongodb": "8.0.4", "nginx": "1.22.1"},
        "firewall": {"services": ["http", "https"], "ports": ["22/tcp"]},
    }  # fmt: skip
    return {**base, **changes}


def report(health: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """The answer of toxctl on a server that is well and serves."""
    live = good.slot(active="active", sub="running", ready={"status": 200, "answer": {}})
    base = good.status({"https_port": None}, good.confirmed())
    base |= {"slots": {"blue": live, "green": good.slot()}, "warnings": []}
    return {**base, **changes, "health": healthy(**(health or {}))}


def findings(
    *, firewall: Any = None, now: float = NOW, today: date = TODAY, **changes: Any
) -> list[Finding]:
    return list(diagnose(report(**changes), now, today, firewall or WANTED))


def test_a_server_that_is_well_has_no_finding() -> None:
    assert findings() == []


DISK = {"path": "/srv", "bytes": 1000, "free": 40, "inodes": 0, "inodes_free": 0}
LIVE = {"blue": good.slot(active="failed", sub="failed"), "green": good.slot()}
UNREADY = good.slot(active="active", ready={"status": 503, "answer": {"database": "down"}})
MEMORY = {"limit": None, "used": None, "available": 10_000_000, "total": 10**9}
SILENT = {"who": "anna@home", "task": "prune", "since": "today", "silent": 99.0}
CASES: list[tuple[dict[str, Any], str, str, str]] = [
    ({"live": None}, "service", "no model is live", "fab restore-embeddings deploy-model"),
    ({"slots": LIVE}, "service", "live slot blue is failed/failed", f"systemctl start {UNIT}"),
    ({"slots": {"blue": UNREADY}}, "service", '{"database": "down"}', "`fab logs`"),
    ({"unfinished": True}, "service", "an activation was interrupted", "fab deploy-model"),
    ({"lock": SILENT}, "lock", "holds the deploy lock", "`fab unlock`"),
    ({"warnings": ["the certificate ends on 2026-12-01: run `fab renew-certificate`"]},
     "certificate", "ends on 2026-12-01", "run `fab renew-certificate`"),
    ({"warnings": ["there is no backup yet: run `fab backup`"]},
     "backup", "there is no backup yet", "run `fab backup`"),
    ({"warnings": ["the model m is damaged (head.onnx): run `fab deploy-model`"]},
     "release", "(head.onnx)", "run `fab deploy-model`"),
    ({"warnings": ["something without a command"]}, "status", "without a command", "`fab status`"),
    ({"health": {"failed": ["x.service"]}}, "units", "x.service failed", "journalctl -u x.service"),
    ({"health": {"failed": None}}, "units", "systemd does not answer", "systemctl status"),
    ({"health": {"stopped": ["nginx.service"]}},
     "units", "nginx.service does not run", "systemctl start nginx.service"),
    ({"health": {"disks": [DISK]}}, "disk", "the file system of /srv has", "du -xh /srv"),
    ({"health": {"disks": [{**DISK, "free": 500, "inodes": 100, "inodes_free": 1}]}},
     "disk", "1 of 100 inodes left", "fab prune"),
    ({"memory": MEMORY}, "memory", "only 10.0 MB of memory", "a larger server"),
    ({"health": {"swap": {"total": 10**9, "free": 10**7}}}, "memory", "swap has only", "ps -eo"),
    ({"health": {"killed": ["mongod"]}}, "memory", "mongod was killed within a day", "journalctl"),
    ({"now": NOW + 300}, "clock", "300 s behind", "timedatectl set-ntp true"),
    ({"now": NOW - 300}, "clock", "300 s ahead of", "chronyc makestep"),
    ({"health": {"reboot": ["libc6:amd64"]}}, "reboot", "libc6:amd64", "os_upgrade_reboot=auto"),
    ({"health": {"firewall": None}}, "firewall", "does not answer", "--tags firewalld"),
    ({"health": {"firewall": {"services": ["http"], "ports": ["22/tcp"]}}},
     "firewall", "does not let in https", "--tags firewalld"),
    ({"health": {"firewall": {"services": ["http", "https"], "ports": ["22/tcp", "27017/tcp"]}}},
     "firewall", "lets in 27017/tcp, not in the inventory", "--tags firewalld"),
    ({"health": {"ssh_ports": ["2222"]}, "firewall": {**WANTED, "ports": ["22/tcp"]}},
     "firewall", "does not let in 2222/tcp", "--tags firewalld"),
    ({"config": {"https_port": 8443}}, "firewall", "does not let in 8443/tcp", "--tags firewalld"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "check", "what", "do"), CASES, ids=lambda one: str(one)[:50])
def test_one_thing_that_is_wrong_is_one_finding(
    changes: dict[str, Any], check: str, what: str, do: str
) -> None:
    (found,) = findings(**changes)
    assert found.check == check
    assert what in found.what
    assert do in found.do
    assert "\n" not in found.what + found.do


def test_a_container_is_not_judged_by_the_swap_of_its_host() -> None:
    memory = {**MEMORY, "limit": 1 << 30, "available": 10**9}
    assert findings(memory=memory, health={"swap": {"total": 10**9, "free": 0}}) == []


def test_another_port_of_the_web_server_is_let_in_by_the_inventory() -> None:
    """Role firewalld opens it; `http` may stay in the list of services."""
    wanted = {**WANTED, "web": ["8000"]}
    (found,) = findings(firewall=wanted)
    assert "does not let in 8000/tcp of the inventory" in found.what
    let_in = {"services": ["http", "https"], "ports": ["22/tcp", "8000/tcp"]}
    assert findings(firewall=wanted, health={"firewall": let_in}) == []
    assert findings(firewall={**WANTED, "web": ["80"]}) == []


def test_services_that_are_closed_on_a_host_are_not_let_in() -> None:
    (found,) = findings(firewall={**WANTED, "closed": ["http", "https"]})
    assert "lets in http, https, not in the inventory" in found.what


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("ports", [8443], "firewalld_extra_ports[0] is 8443: it must be a port or a range with"),
        ("ports", 5, "firewalld_extra_ports is 5: it must be a list"),
        ("ports", "8443/tcp", "firewalld_extra_ports is '8443/tcp': it must be a list"),
        ("ports", None, "firewalld_extra_ports is empty: it must be a list"),
        ("services", [{}], "firewalld_services[0] is {}: it must be a service of firewalld"),
        ("services", "http", "firewalld_services is 'http': it must be a list"),
    ],
)
def test_a_wrong_value_of_the_inventory_is_named(key: str, value: Any, what: str) -> None:
    (found,) = findings(firewall={**WANTED, key: value})
    assert found.what.startswith(what)
    assert found.do == "correct the inventory, then `ansible-playbook site.yml --tags firewalld`"


def test_the_port_of_tls_may_be_a_service() -> None:
    assert findings(config={"https_port": 443}) == []


@pytest.mark.parametrize(
    ("versions", "what"),
    [
        ({"os": "centos 7", "os_name": "CentOS Linux"}, "CentOS Linux 7 on the server is out of"),
        ({"mongodb": "4.0.28"}, "MongoDB 4.0.28 on the server is out of support since 2022-04-30"),
        ({"mongodb": "4.4.1"}, "since 2024-02-29"),
    ],
)
def test_versions_out_of_support_are_named_with_the_date(
    versions: dict[str, str], what: str
) -> None:
    (found,) = findings(health={"versions": {**healthy()["versions"], **versions}})
    assert what in found.what
    assert found.do


def test_a_version_is_supported_until_its_last_day() -> None:
    end = date(2027, 10, 31)
    assert list(out_of_support("Python", "3.11.7", end)) == []
    assert len(list(out_of_support("Python", "3.11.7", date(2027, 11, 1)))) == 1
    assert list(out_of_support("Python", "3.1", date(2099, 1, 1))) == []
    assert lifetime("MongoDB", "9.0") is None


def test_the_page_has_the_same_dates_with_their_sources() -> None:
    text = (ROOT / "docs/doctor.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"(?m)^\| ([^|]+) \| ([\d.]+) \| (\d{4}-\d\d-\d\d)[^|]* \| <(https://\S+)> \|$", text
    )
    assert {row[:3] for row in rows} == {
        (one.product, one.series, one.end.isoformat()) for one in LIFETIMES
    }


@pytest.fixture
def server(remote: LocalRemote, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server that is well, asked by a computer with nothing out of support."""
    monkeypatch.setattr(doctor, "laptop_findings", lambda _: [])
    monkeypatch.setattr(predict, "ask", lambda *_: predict.Scores("m", {"toxic": 0.5}))
    object.__setattr__(remote.host, "firewall", WANTED)
    answer(remote)
    made = Server(remote)
    remote.calls.clear()
    monkeypatch.setattr(doctor.time, "time", lambda: NOW)
    return made


def answer(remote: LocalRemote, **changes: Any) -> None:
    found = report(**changes)
    found["config"] = {**remote.status()["config"], **found["config"]}
    remote.answers["status"] = result(found)


def test_all_is_well(
    server: Server, remote: LocalRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    doctor.doctor(server)
    assert remote.calls == [["status", "--health"]]
    assert capsys.readouterr().out == "nanode: all is well\n"


def test_findings_are_two_lines_each_and_fail_the_task(
    server: Server, remote: LocalRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(remote, health={"failed": ["x.service"], "reboot": ["systemd"]})
    with pytest.raises(DeferredError, match="nanode: 2 findings, see above"):
        doctor.doctor(server)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "nanode: 2 findings"
    assert lines[1] == "  units: x.service failed"
    assert lines[2].startswith("    type: `sudo journalctl -u x.service")
    assert len(lines) == 5


def test_commands_keep_the_inventory_that_was_typed(
    server: Server, remote: LocalRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(remote, health={"firewall": None})
    for as_json in (False, True):
        with typed("doctor", {"inventory": "x"}), pytest.raises(DeferredError):
            doctor.doctor(server, as_json=as_json)
        out = capsys.readouterr().out
        assert "`ansible-playbook site.yml --tags firewalld --inventory x`" in out


def test_json_is_one_object(
    server: Server, remote: LocalRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    doctor.doctor(server, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"server": "nanode", "findings": []}
    answer(remote, health={"stopped": ["nginx.service"]})
    with pytest.raises(DeferredError):
        doctor.doctor(server, as_json=True)
    (found,) = json.loads(capsys.readouterr().out)["findings"]
    assert set(found) == {"check", "what", "do"}


def test_a_service_that_does_not_answer_is_a_finding(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def silent(*_: object) -> predict.Scores:
        raise DeployError("connection refused")

    monkeypatch.setattr(predict, "ask", silent)
    with pytest.raises(DeferredError):
        doctor.doctor(server)
    assert "does not serve: connection refused" in capsys.readouterr().out

    def key(*_: object) -> predict.Scores:
        raise predict.KeyRefused("a key is required")

    monkeypatch.setattr(predict, "ask", key)
    doctor.doctor(server)


def test_what_is_out_of_support_on_this_computer_is_a_finding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "version", lambda _: "2.16.14")
    monkeypatch.setattr(doctor.platform, "python_version", lambda: "3.11.7")
    (found,) = doctor.laptop_findings(TODAY)
    assert "ansible-core 2.16.14 on this computer is out of support since 2025-05-31" in found.what
    assert "make venv" in found.do


def test_an_end_is_no_finding_where_no_command_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of the ansible-core which this project locks."""
    locked = re.search(r"ansible-core==(\S+)", (ROOT / "requirements/controller.in").read_text())
    assert locked
    monkeypatch.setattr(doctor, "version", lambda _: locked[1])
    monkeypatch.setattr(doctor.platform, "python_version", lambda: "3.11.7")
    assert list(doctor.laptop_findings(date(2027, 1, 1))) == []


def test_a_python_of_the_server_is_not_mended_on_the_laptop() -> None:
    versions = {**healthy()["versions"], "os": "debian 13"}
    (found,) = findings(health={"versions": versions}, today=date(2028, 1, 1))
    assert "Python 3.11.2 on the server is out of support since 2027-10-31" in found.what
    assert "docs/upgrading.md" in found.do


def test_a_dry_run_asks_nothing(
    server: Server, remote: LocalRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    doctor.doctor(server, dry_run=True)
    assert remote.calls == []
    assert "toxctl --json status --health" in capsys.readouterr().out
