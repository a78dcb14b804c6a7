"""What every dry run prints at its beginning and end. It asks the server and changes nothing."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from controller.deploy.balancer import Machine
from controller.deploy.hooks import Hooks
from controller.deploy.server import Server
from controller.deploy.session import describe_holder

__all__ = ["begin_dry_run", "would_ask", "would_clean", "would_run_hooks"]


def begin_dry_run(server: Server, task: str) -> None:
    """Print that nothing is changed, and who holds the lock now."""
    server.say(f"dry run of {task}: nothing is changed")
    holder = server.status["lock"]
    if holder:
        server.say(f"it could not begin now: locked by {describe_holder(holder)}")


def would_clean(server: Server) -> None:
    """Print by which rule the last phase removes releases."""
    server.say(
        f"clean: keep the newest {server.settings.keep_releases} models and apps, fewer "
        f"while less than {server.settings.keep_free_mb} MB are free; never remove the live or "
        "the previous release"
    )


def would_run_hooks(server: Server, hooks: Hooks) -> None:
    """Print which hooks would run."""
    names = hooks.names()
    if names:
        server.say(f"hooks in {hooks.directory}: {', '.join(names)}")


def would_ask(server: Server | Machine, task: str, *questions: Sequence[str]) -> None:
    """Print which commands a read-only task would run as root."""
    server.say(f"dry run of {task}: these commands would run")
    for words in questions:
        server.say(shlex.join(words))
