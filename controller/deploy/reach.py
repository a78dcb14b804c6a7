"""Which hosts of the inventory a task is for, and how it goes through them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from controller.deploy.attempt import Interrupted
from controller.deploy.balancer import Balancer, Machine
from controller.deploy.connection import connect
from controller.deploy.errors import DeferredError, DeployError
from controller.deploy.inventory import Host, read_hosts
from controller.deploy.remote_toxctl import ToxctlError
from controller.deploy.roll import Undo, balancers_of, roll
from controller.deploy.server import Server, opened

__all__ = ["EACH", "Action", "Reach", "run_on_hosts"]


class Action(Protocol):
    """What a task does on one server; with `Reach.tls` or `every` on another host as well."""

    def __call__(self, server: Any, *, dry_run: bool) -> object: ...


@runtime_checkable
class Collecting(Action, Protocol):
    """What a task does on one server after it has asked each of them."""

    def collect(self, server: Any, *, dry_run: bool) -> object: ...


@dataclass(frozen=True)
class Reach:
    """Which hosts of a cluster a task is for. Other hosts each play all parts.

    Attributes:
        undo: it switches releases, each host is out of the balancer for that; this returns a host
            to its previous release.
        once: it is about the database that all share: one app host is enough.
        balancer: what is shown of each balancer at the end.
        tls: it is about the certificate: for the balancers of a cluster, where TLS ends.
        every: it is for the hosts without the service as well.
        asks: it changes nothing, so it goes on after a host that cannot be asked.
        others: on an app host it asks the other ones, also those outside of a limit.
        left: it goes on after a host that fails; said at the end, with `{hosts}`, of those.
    """

    undo: Undo | None = None
    once: bool = False
    balancer: Callable[[Balancer], object] | None = None
    tls: bool = False
    every: bool = False
    asks: bool = False
    others: bool = False
    left: str = ""


EACH = Reach()


def run_on_hosts(
    action: Action,
    task: str,
    reach: Reach,
    inventory: str | None,
    limit: str | None,
    dry_run: bool,
    all_or_none: bool,
) -> None:
    """Do it on the hosts that it is for.

    Args:
        action: what is done on one server.
        task: its name.
        reach: which hosts of a cluster it is for.
        inventory: where the hosts are found.
        limit: only these of them.
        dry_run: change nothing.
        all_or_none: of a cluster: if a host fails, those before it go back.

    Raises DeployError: of several servers it names those that are done, failed and not begun.
    """
    hosts = hosts_for(reach, inventory, limit)
    if reach.undo and hosts[0].in_cluster and not dry_run:
        roll(hosts, inventory, action, task, reach.undo if all_or_none else None)
        return
    others = app_hosts_of(hosts, inventory) if reach.others else []
    show = reach.balancer if not dry_run else None
    try:
        if isinstance(action, Collecting) and not dry_run:
            on_each_server(action.collect, hosts, dry_run)
        on_each_server(action, hosts, dry_run, reach, others)
    except DeployError as error:
        if show:
            try:
                show_balancers(hosts, inventory, show)
            except DeployError as second:
                error.args = (f"{error}; {second}",)
        raise
    if show:
        show_balancers(hosts, inventory, show)


def show_balancers(
    hosts: Sequence[Host], inventory: str | None, show: Callable[[Balancer], object]
) -> None:
    """Show each balancer of the cluster; DeployError if one cannot be reached."""
    with balancers_of(hosts, inventory) as balancers:
        for balancer in balancers:
            show(balancer)


def app_hosts_of(hosts: Sequence[Host], inventory: str | None) -> list[Host]:
    """Return all app hosts of the cluster that the hosts are in, whatever the limit."""
    known = {host.name for host in hosts}
    missing = [name for name in hosts[0].app_hosts if name not in known]
    return [*hosts, *(read_hosts(inventory, ",".join(missing)) if missing else [])]


def hosts_for(reach: Reach, inventory: str | None, limit: str | None) -> list[Host]:
    """Return the hosts that a task is for; DeployError if there is none."""
    found = read_hosts(inventory, limit)
    if reach.every:
        return found
    names = ", ".join(host.name for host in found)
    if reach.tls and found[0].balancers:
        balancers = [host for host in found if "balancer" in host.parts]
        if not balancers:
            raise DeployError(
                f"{names}: not in group balancer of the inventory, where TLS ends: rerun the "
                "command with --limit balancer"
            )
        return balancers
    hosts = [host for host in found if "app" in host.parts]
    if not hosts:
        raise DeployError(
            f"{names}: not in group app of the inventory, where the service runs: rerun the "
            "command with --limit app"
        )
    return hosts[:1] if reach.once and hosts[0].in_cluster else hosts


@contextmanager
def opened_host(host: Host) -> Iterator[Server | Machine]:
    """Open a connection to a host, as what it is in the cluster, and close it again."""
    if "app" in host.parts:
        with opened(host) as server:
            yield server
    else:
        with connect(host) as remote:
            yield (Balancer if "balancer" in host.parts else Machine)(remote)


def on_each_server(
    action: Action,
    hosts: Sequence[Host],
    dry_run: bool,
    reach: Reach = EACH,
    others: Sequence[Host] = (),
) -> None:
    """Do it on one server after the other; a DeferredError is raised after the last of them.

    With `Reach.asks` or `left` so is any other. `others`: the app hosts of the cluster, for
    `Server.others`.

    Raises DeployError: of several servers it names those that are done, failed and not begun.
    """
    failed: dict[str, str] = {}
    skipped: list[str] = []
    for number, host in enumerate(hosts):
        try:
            with opened_host(host) as server:
                if isinstance(server, Server) and host.in_cluster:
                    server.others = [other for other in others if other.name != host.name]
                action(server, dry_run=dry_run)
        except DeferredError as error:
            failed[host.name] = str(error)
        except DeployError as error:
            failed[host.name] = named(error, host, len(hosts))
            if (reach.asks or reach.left) and not isinstance(error, Interrupted):
                skipped.append(host.name)
                continue
            error.args = (stopped([host.name for host in hosts], number, failed),)
            raise
        except KeyboardInterrupt:
            if len(hosts) == 1:
                raise
            failed[host.name] = "interrupted: see `fab status`, then rerun the command"
            raise Interrupted(stopped([host.name for host in hosts], number, failed)) from None
    if failed:
        last = [reach.left.format(hosts=",".join(skipped))] if reach.left and skipped else []
        raise DeployError("; ".join([*failed.values(), *last]))


def named(error: DeployError, host: Host, hosts: int) -> str:
    """Return the line of a failure; of several hosts with the name, which toxctl does not know."""
    words = str(error)
    if hosts == 1 or not isinstance(error, ToxctlError) or words.startswith(f"{host.name}: "):
        return words
    return f"{host.name}: {words}"


def stopped(names: Sequence[str], number: int, failed: Mapping[str, str]) -> str:
    """Return the failures, and of several servers how far each one is.

    `number`: how many servers came before the one that stopped the task.
    """
    words = "; ".join(failed.values())
    if len(names) == 1:
        return words
    done = [name for name in names[:number] if name not in failed]
    states = (("done", done), ("failed", list(failed)), ("not begun", names[number + 1 :]))
    parts = [f"{state}: {' '.join(of)}" for state, of in states if of]
    return f"{words} ({', '.join(parts)})"
