"""How every fab task ends: done, or one line on stderr with the next command and exit code 1."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

from fabric import Connection
from invoke import Context, task

from deploy.errors import DeployError

__all__ = ["HOST_OPTIONS", "product_task"]

HOST_OPTIONS = {
    "inventory": "Ansible inventory (default: $ANSIBLE_INVENTORY, else ansible.cfg's)",
    "limit": "only these of its hosts, an Ansible pattern",
}


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
                body(context, *arguments, **keywords)
            except DeployError as error:
                fail(str(error), error.details)
            except KeyboardInterrupt:
                print(file=sys.stderr)
                fail(f"interrupted: look at `fab status`, then type `fab {name}` again")

        name = named or body.__name__.replace("_", "-")
        return task(run, name=name, help=dict(options), auto_shortflags=False)

    return decorate
