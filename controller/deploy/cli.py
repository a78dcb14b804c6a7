"""The decorators that make fab tasks: their options, their servers, and how they end.

A task ends well, or with one line on stderr that names the next command, and exit code 1.
"""

from __future__ import annotations

import functools
import inspect
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol

from fabric import Connection
from invoke.context import Context
from invoke.tasks import task

from controller.deploy.attempt import Interrupted
from controller.deploy.errors import DeferredError, DeployError
from controller.deploy.server import Server, servers

__all__ = ["DRY_RUN", "Action", "laptop_task", "server_task"]

DRY_RUN = {"dry_run": "report what would be done, change nothing"}
HOSTS = {
    "inventory": "Ansible inventory (default: $ANSIBLE_INVENTORY, else ansible.cfg's)",
    "limit": "only these of its hosts, an Ansible pattern",
}


COMMON = [
    inspect.Parameter(option, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)
    for option, default in (("dry_run", False), ("inventory", None), ("limit", None))
]


class Action(Protocol):
    """What a task does on one server."""

    def __call__(self, server: Server, *, dry_run: bool) -> object: ...


def interrupt(number: int, _frame: FrameType | None) -> None:
    """Make SIGTERM and a terminal that closes end a task as Ctrl-C does."""
    raise KeyboardInterrupt(signal.Signals(number).name)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Treat SIGTERM and SIGHUP as Ctrl-C while a task runs."""
    old = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def fail(message: str, details: str = "") -> None:
    """Print the line (and details below it) and end with exit code 1."""
    print(f"error: {message}", file=sys.stderr)
    if details:
        print(details, file=sys.stderr)
    raise SystemExit(1)


def laptop_task(body: Callable[..., object], name: str | None = None, /, **options: str) -> Any:
    """Return a fab task that calls `body` with its options.

    Args:
        body: its parameters become the task's options, its docstring the help text.
        name: of the task, by default that of the function.
        options: help text per parameter.
    """
    title = name or body.__name__.replace("_", "-")

    @functools.wraps(body)
    def run(context: Context, *arguments: Any, **keywords: Any) -> None:
        if isinstance(context, Connection):
            fail("hosts come from the Ansible inventory: use --inventory or --limit, not -H")
        try:
            with ended_by_signals():
                body(*arguments, **keywords)
        except Interrupted as error:
            print(file=sys.stderr)
            fail(str(error))
        except DeployError as error:
            fail(str(error), error.details)
        except BrokenPipeError:  # `fab status | head`: nothing reads the rest
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(1) from None
        except KeyboardInterrupt:
            print(file=sys.stderr)
            fail(f"interrupted: see `fab status`, then rerun `fab {title}`")

    first = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    own = inspect.signature(body).parameters.values()
    run.__signature__ = inspect.Signature([first, *own])  # type: ignore[attr-defined]  # read by invoke
    return task(run, name=title, help=options, auto_shortflags=False)


def server_task(
    name: str | None = None, /, **options: str
) -> Callable[[Callable[..., Action]], Any]:
    """Return a decorator that makes a fab task for every server of the inventory.

    The function does what is done once, on the laptop, and returns what is to be done on each
    server. The options --dry-run, --inventory and --limit are added to its own.

    Args:
        name: of the task, by default that of the function.
        options: help text per parameter.
    """

    def decorate(prepare: Callable[..., Action]) -> Any:
        @functools.wraps(prepare)
        def body(dry_run: bool, inventory: str | None, limit: str | None, **own: Any) -> None:
            on_each_server(prepare(**own), dry_run, inventory, limit)

        own = inspect.signature(prepare).parameters.values()
        body.__signature__ = inspect.Signature([*own, *COMMON])  # type: ignore[attr-defined]  # read by laptop_task
        return laptop_task(body, name, **options, **DRY_RUN, **HOSTS)

    return decorate


def on_each_server(action: Action, dry_run: bool, inventory: str | None, limit: str | None) -> None:
    """Do it on one server after the other; a DeferredError is raised after the last of them."""
    deferred: list[str] = []
    for server in servers(inventory, limit):
        try:
            action(server, dry_run=dry_run)
        except DeferredError as error:
            deferred.append(str(error))
    if deferred:
        raise DeployError("; ".join(deferred))
