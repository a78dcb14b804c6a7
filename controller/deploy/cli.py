"""How every fab task ends: done, or one line on stderr with the next command and exit code 1."""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fabric import Connection
from invoke import Context, task

from controller.deploy.attempt import Interrupted
from controller.deploy.errors import DeployError

__all__ = ["DRY_RUN", "HOST_OPTIONS", "product_task"]

DRY_RUN = {"dry_run": "say what would be done, and do none of it"}

HOST_OPTIONS = {
    "inventory": "Ansible inventory (default: $ANSIBLE_INVENTORY, else ansible.cfg's)",
    "limit": "only these of its hosts, an Ansible pattern",
}


def interrupt(number: int, _frame: Any) -> None:
    """Let SIGTERM and a terminal that closes end a task as Ctrl-C does."""
    raise KeyboardInterrupt(signal.Signals(number).name)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Take SIGTERM and SIGHUP for Ctrl-C as long as a task runs."""
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


def product_task(named: str | None = None, **options: str) -> Callable[[Callable[..., None]], Any]:
    """Return a decorator that makes a fab task (`named`, or as the function) with help per option.

    A DeployError (or a BuildError of the model's builder) becomes one line, Ctrl-C another.
    """

    def decorate(body: Callable[..., None]) -> Any:
        @functools.wraps(body)
        def run(context: Context, *arguments: Any, **keywords: Any) -> None:
            if isinstance(context, Connection):
                fail("hosts come from the Ansible inventory: use --inventory or --limit, not -H")
            try:
                with ended_by_signals():
                    body(context, *arguments, **keywords)
            except Interrupted as error:
                print(file=sys.stderr)
                fail(str(error))
            except DeployError as error:
                fail(str(error), error.details)
            except BrokenPipeError:  # `fab status | head`: nobody reads any more
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise SystemExit(1) from None
            except KeyboardInterrupt:
                print(file=sys.stderr)
                fail(f"interrupted: look at `fab status`, then type `fab {name}` again")

        name = named or body.__name__.replace("_", "-")
        return task(run, name=name, help=dict(options), auto_shortflags=False)

    return decorate
