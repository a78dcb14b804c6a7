"""A task on the app hosts of a cluster, one after the other.

Before the first one changes, every host is reachable and its deploy lock is held. The first one
that fails stops the roll. It may have switched by then: then it goes back with those before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from controller.deploy.attempt import Interrupted, ignore_closed_output
from controller.deploy.balancer import Balancer
from controller.deploy.connection import connect
from controller.deploy.errors import DeployError
from controller.deploy.inventory import Host, read_hosts
from controller.deploy.server import Server, opened
from controller.deploy.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Undo", "balancers_of", "roll"]

Action = Callable[..., object]
Undo = Callable[[Server], object]


class At(NamedTuple):
    """Where a roll stopped, and whether that host had switched by then."""

    server: Server
    switched: bool


@contextmanager
def balancers_of(hosts: Sequence[Host], inventory: str | None) -> Iterator[list[Balancer]]:
    """Open a connection to each balancer of the cluster that the hosts are in."""
    names = hosts[0].balancers if hosts else ()
    found = read_hosts(inventory, ",".join(names)) if names else []
    with ExitStack() as stack:
        yield [Balancer(stack.enter_context(connect(host))) for host in found]


def roll(
    hosts: Sequence[Host], inventory: str | None, action: Action, task: str, undo: Undo | None
) -> None:
    """Do it on one app host after the other, each of them out of the balancer while it switches.

    Args:
        hosts: the app hosts, in their order.
        inventory: where the balancers are found.
        action: what is done on each; it returns whether it changed anything.
        task: its name, for the audit log.
        undo: if one fails, this returns each that is done to its previous release.

    Raises DeployError: which hosts are done, failed and not begun.
    """
    with ExitStack() as stack:
        balancers = stack.enter_context(balancers_of(hosts, inventory))
        servers = [stack.enter_context(opened(host)) for host in hosts]
        for server in servers:
            server.balancers = balancers
        reserve(servers, task, stack)
        done: list[tuple[Server, bool]] = []
        for server in servers:
            server.switched = False
            try:
                done.append((server, bool(action(server, dry_run=False))))
            except (DeployError, OSError, KeyboardInterrupt) as error:
                at = At(server, server.switched)  # a return changes it
                changed = [one for one, anything in done if anything] + [server] * at.switched
                ignore_closed_output()
                left = give_back(changed, undo) if undo else keep(changed)
                raise stopped(at, servers, done, error, left) from None


def reserve(servers: Sequence[Server], task: str, stack: ExitStack) -> None:
    """Take the deploy lock of every host; DeployError, without a change, if one is taken."""
    for server in servers:
        session = Session(server, task)
        stack.callback(release, server, session)
        session.open()
        server.reserved = session


def release(server: Server, session: Session) -> None:
    """End the session of a host whose turn did not come."""
    if server.reserved is session and session.held:
        session.end("nothing", "the roll stopped before this host")
    session.close()


def keep(changed: Sequence[Server]) -> str:
    """Return how the hosts that have switched can go back."""
    names = ",".join(server.name for server in changed)
    return f"`fab rollback --limit {names}` returns the hosts that have switched" if names else ""


def give_back(changed: Sequence[Server], undo: Undo) -> str:
    """Return the hosts that have switched to their previous release; say which are."""
    words = []
    for server in reversed(changed):
        # A lost balancer takes its hosts back by itself, and a switch loses no request anyway.
        server.balancers = [balancer for balancer in server.balancers if answers(balancer)]
        server.switched = False
        try:
            undo(server)
            words.append(f"{server.name} returned to its previous release")
        except (DeployError, OSError) as error:
            if server.switched:
                back = f"{server.name} returned to its previous release"
                words.append(f"{back}, then failed ({error})")
            else:
                again = f"`fab rollback --limit {server.name}` tries it again"
                words.append(
                    f"{server.name} could not return to its previous release ({error}; {again})"
                )
    return ", ".join(words)


def answers(balancer: Balancer) -> bool:
    """Return whether the connection to a balancer still works."""
    try:
        balancer.remote.ping()
    except DeployError:
        return False
    return True


def stopped(
    at: At,
    servers: Sequence[Server],
    done: Sequence[tuple[Server, bool]],
    error: BaseException,
    left: str,
) -> DeployError:
    """Return the line that says why the roll stopped, where, and what is on which host."""
    names = [server.name for server in servers]
    after = names[names.index(at.server.name) + 1 :]
    states = (
        ("done", [one.name for one, _ in done]),
        ("switched, then failed" if at.switched else "failed", [at.server.name]),
        ("not begun", after),
    )
    parts = [f"{state}: {' '.join(of)}" for state, of in states if of]
    words = str(error) or "interrupted: see `fab status`, then rerun the command"
    if isinstance(error, OSError):
        words += ": see `fab status`, then rerun the command"
    line = f"{words} ({', '.join(parts)})" + (f"; {left}" if left else "")
    if isinstance(error, KeyboardInterrupt | Interrupted):
        return Interrupted(line)
    return DeployError(line, getattr(error, "details", ""))
