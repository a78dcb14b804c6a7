"""A deploy over the app hosts of a cluster: order, locks, the balancer, and what stops it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import toxctl_answers as good
from fake_cluster import NAMES, NEW, BalancerRemote, Cluster, rolled
from local_remote import error, lines, result

from controller.deploy import gate, reach, roll
from controller.deploy.attempt import Interrupted, attempt
from controller.deploy.balancer import Balancer
from controller.deploy.errors import DeployError
from controller.deploy.inventory import Host, read_hosts
from controller.deploy.reach import Reach, run_on_hosts
from controller.deploy.remote import Done
from controller.deploy.server import Server
from controller.deploy.tasks.renew_certificate import renew_certificate
from controller.deploy.tasks.rollback import rollback
from controller.deploy.tasks.status import balancer_status

CERTIFICATE = {
    "name": "0123456789ab", "source": "acme", "names": ["api.example.org"], "left": 0.38,
    "not_after": "2026-12-30T00:00:00Z", "problem": None,
}  # fmt: skip


def test_every_host_is_locked_before_the_first_and_out_while_it_switches(cluster):
    rolled(cluster)
    assert cluster.events == [
        *(f"{name} opened" for name in NAMES),
        *(f"{name} {what}" for name in NAMES for what in ("out", "switches", "back")),
    ]
    assert cluster.ends() == ["done"] * 3
    assert [len(remote.sessions) for remote in cluster.remotes.values()] == [1, 1, 1]


def test_a_locked_host_stops_the_roll_before_the_first_change(cluster):
    cluster.remotes["app3"].holder = {"who": "ann@laptop", "task": "rollback"}
    with pytest.raises(DeployError, match="app3 is locked by ann@laptop with rollback"):
        rolled(cluster)
    assert "app1 out" not in cluster.events
    assert cluster.ends() == ["nothing", "nothing", None]


def test_the_first_host_that_fails_stops_the_roll_and_comes_back(cluster):
    cluster.remotes["app2"].answers["activate"] = cluster.switching(
        "app2", error("green: not ready", serving=True)
    )
    with pytest.raises(DeployError) as caught:
        rolled(cluster)
    words = str(caught.value)
    assert "green: not ready; the previous release stayed live" in words
    assert "(done: app1, failed: app2, not begun: app3)" in words
    assert "; `fab rollback --limit app1` returns the hosts that have switched" in words
    assert cluster.events[-3:] == ["app2 out", "app2 switches", "app2 back"]
    assert cluster.ends() == ["done", "failed", "nothing"]
    assert not cluster.remotes["app3"].called("activate")


def test_all_or_none_returns_the_hosts_that_are_done(cluster):
    cluster.remotes["app3"].answers["activate"] = cluster.switching("app3", error("not ready"))
    with pytest.raises(DeployError) as caught:
        rolled(cluster, all_or_none=True)
    assert str(caught.value).endswith(
        "; app2 returned to its previous release, app1 returned to its previous release"
    )
    assert [one for one in cluster.events if one.endswith("switches")] == [
        "app1 switches",
        "app2 switches",
        "app3 switches",
        "app2 switches",
        "app1 switches",
    ]
    for name in ("app1", "app2"):
        assert cluster.remotes[name].sessions[1].heard[0]["task"] == "rollback"


def test_an_interruption_ends_as_one_and_puts_the_host_back(cluster):
    def interrupt() -> Done:
        raise KeyboardInterrupt

    cluster.remotes["app2"].answers["activate"] = interrupt
    with pytest.raises(Interrupted, match="failed: app2, not begun: app3"):
        rolled(cluster)
    assert cluster.events[-1] == "app2 back"


def test_a_host_that_fails_the_balancers_check_stops_the_roll(cluster, capsys):
    cluster.unhealthy.add("app1")
    with pytest.raises(DeployError, match="app1 does not pass the check") as caught:
        rolled(cluster)
    assert "(switched, then failed: app1, not begun: app2 app3)" in str(caught.value)
    assert "lb1: app1 is back" not in capsys.readouterr().out


def test_a_failed_switch_counts_more_than_a_failed_check(cluster, capsys):
    cluster.unhealthy.add("app1")
    cluster.remotes["app1"].answers["activate"] = cluster.switching("app1", error("not ready"))
    with pytest.raises(DeployError, match="not ready; the previous release stayed live"):
        rolled(cluster)
    assert "lb1: warning: app1 does not pass the check" in capsys.readouterr().out


def test_a_lost_balancer_puts_the_host_back_by_itself(cluster):
    cluster.lost = True
    with pytest.raises(DeployError, match="the connection to lb1 was lost, which puts app1 back"):
        rolled(cluster)


def test_what_the_balancer_does_not_take_out_is_switched_all_the_same(cluster, capsys):
    cluster.alone.update(NAMES)
    rolled(cluster)
    assert cluster.ends() == ["done"] * 3
    assert "is out until it has switched" not in capsys.readouterr().out


def test_a_host_on_which_nothing_changes_stays_in(cluster):
    def repeat(server: Server, *, dry_run: bool) -> bool:
        with attempt(server, "deploy-model", "new") as now:
            return gate.switch(now, "model new", model=NEW)

    for name, remote in cluster.remotes.items():
        same = lines(*good.activated(NEW, changed=False))
        remote.answers["activate"] = cluster.switching(name, same)
    roll.roll(cluster.hosts, None, repeat, "deploy-model", None)
    assert not [one for one in cluster.events if one.endswith((" out", " back"))]
    assert cluster.ends() == ["nothing"] * 3


def test_the_balancers_view_is_shown(cluster, capsys):
    balancer_status(Balancer(BalancerRemote(cluster)))
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "lb1: app hosts:"
    assert [line.split()[0] for line in out[1:4]] == list(NAMES)
    assert "gets requests" in out[1]
    assert "held out" in out[2]
    assert "gets none (DOWN)" in out[3]
    assert out[4:] == ["lb1: certificate: none, this server speaks plain HTTP: set tls_mode"]


def test_the_balancers_certificate_is_shown_with_what_is_wrong(cluster, capsys):
    cluster.certificate = result({**CERTIFICATE, "problem": "it ends soon: run `fab x`"})
    balancer_status(Balancer(BalancerRemote(cluster)))
    assert capsys.readouterr().out.splitlines()[4:] == [
        "lb1: certificate: acme, for api.example.org, until 2026-12-30 00:00 UTC, "
        "38% of its life is left",
        "lb1: warning: it ends soon: run `fab x`",
    ]


def test_the_certificate_of_a_cluster_is_renewed_on_its_balancers(cluster, monkeypatch, capsys):
    cluster.certificate = result({**CERTIFICATE, "changed": True})
    balancer = Host(
        "lb1", "192.0.2.1", 22, "d", in_cluster=True, parts=("balancer",), balancers=("lb1",)
    )
    monkeypatch.setattr(reach, "read_hosts", lambda *_: [*cluster.hosts, balancer])
    run_on_hosts(renew_certificate, "renew-certificate", Reach(tls=True), None, None, False, False)
    assert cluster.events == ["renew"]
    assert "lb1: served from the next connection on" in capsys.readouterr().out
    run_on_hosts(renew_certificate, "renew-certificate", Reach(tls=True), None, None, True, False)
    assert cluster.events == ["renew"]
    assert "lb1: dry run of renew-certificate" in capsys.readouterr().out
    monkeypatch.setattr(reach, "read_hosts", lambda *_: cluster.hosts[:1])
    with pytest.raises(DeployError, match="where TLS ends: rerun the command with --limit bal"):
        run_on_hosts(
            renew_certificate, "renew-certificate", Reach(tls=True), None, "app1", False, False
        )


def test_the_certificate_of_hosts_without_a_balancer_is_renewed_on_each(seen):
    run(seen, Reach(tls=True))
    assert seen == list(NAMES)


@pytest.fixture
def seen(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hosts on which a task acted, one after the other."""

    @contextmanager
    def opened(host: Host) -> Iterator[Host]:
        yield host

    database = Host("db1", "192.0.2.9", 22, "deploy", in_cluster=True, parts=("database",))
    monkeypatch.setattr(reach, "opened", opened)
    monkeypatch.setattr(
        reach, "read_hosts", lambda _, limit: [database, *([] if limit else cluster.hosts)]
    )
    return []


def run(seen: list[str], which: Reach, limit: str | None = None, dry_run: bool = False) -> None:
    def act(server: Server, *, dry_run: bool) -> None:
        seen.append(f"{server.name}{' dry' if dry_run else ''}")

    run_on_hosts(act, "task", which, None, limit, dry_run, False)


def test_a_task_is_for_the_app_hosts(seen):
    run(seen, Reach())
    assert seen == list(NAMES)


def test_what_is_about_the_shared_database_is_done_once(seen):
    run(seen, Reach(once=True))
    assert seen == ["app1"]


def test_a_dry_run_takes_nothing_out(seen, cluster):
    run(seen, Reach(undo=rollback), dry_run=True)
    assert seen == ["app1 dry", "app2 dry", "app3 dry"]
    assert cluster.events == []


def test_a_limit_without_an_app_host_is_refused(seen):
    with pytest.raises(DeployError, match="db1: not in group app of the inventory"):
        run(seen, Reach(), limit="db1")


def test_the_balancers_view_ends_the_task(seen, capsys):
    run(seen, Reach(balancer=balancer_status))
    assert "lb1: app hosts:" in capsys.readouterr().out


def test_a_balancer_that_cannot_be_reached_hides_no_error_of_a_host(seen, monkeypatch):
    def unreachable(_: Host) -> None:
        raise DeployError("lb1 cannot be reached: is it running?")

    def act(server: Server, *, dry_run: bool) -> None:
        raise DeployError(f"{server.name} is broken: mend it")

    monkeypatch.setattr(roll, "connect", unreachable)
    which = Reach(balancer=balancer_status)
    with pytest.raises(DeployError, match=r"^lb1 cannot be reached"):
        run(seen, which)
    with pytest.raises(DeployError, match=r"^app1 is broken: mend it .*; lb1 cannot be reached"):
        run_on_hosts(act, "status", which, None, None, False, False)


def test_parts_come_from_the_groups_of_the_inventory(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(
        """
tox_com_det:
  children:
    app: {hosts: {app1: , app2: }}
    database: {hosts: {one: }}
    balancer: {hosts: {one: }}
"""
    )
    hosts = {host.name: host for host in read_hosts(str(tmp_path / "hosts.yml"))}
    assert {name: host.parts for name, host in hosts.items()} == {
        "app1": ("app",),
        "app2": ("app",),
        "one": ("balancer", "database"),
    }
    assert all(host.in_cluster and host.balancers == ("one",) for host in hosts.values())
    (one,) = read_hosts(str(tmp_path / "hosts.yml"), "app2")
    assert one.balancers == ("one",)


def test_groups_of_other_hosts_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("[tox_com_det]\na\nb\n[app]\nshop\n[balancer]\nshop\n")
    for host in read_hosts(str(tmp_path / "hosts")):
        assert (host.in_cluster, host.parts) == (False, ("app", "database"))
        assert host.balancers == ()
