"""What every dry run says at its beginning and end. It asks the server and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from controller.deploy import commands
from controller.deploy.hooks import Hooks
from controller.deploy.servers import Server
from controller.deploy.session import holder_words
from controller.deploy.tools import releasectl

__all__ = ["begin_dry_run", "would_ask", "would_clean", "would_run_hooks"]


def begin_dry_run(server: Server, task: str) -> None:
    """Say that nothing is done, and who would be in the way now."""
    server.say(f"dry run of {task}: this is what would be done, nothing is")
    holder = releasectl(server, "lock").answer()["holder"]
    if holder:
        server.say(f"it would not begin now: locked by {holder_words(holder)}")


def would_clean(server: Server) -> None:
    """Say by which rule the last phase removes releases."""
    server.say(
        f"clean: what is beyond the newest {server.config.keep_releases} models and apps, more "
        f"while less than {server.config.keep_free_mb} MB are free; never the live or the "
        "previous one"
    )


def would_run_hooks(server: Server, hooks: Hooks) -> None:
    """Say which hooks would run."""
    names = hooks.names()
    if names:
        server.say(f"hooks from {hooks.directory}: {', '.join(names)}")


def would_ask(server: Server, task: str, *questions: Sequence[str]) -> None:
    """Say which commands a task that only looks would run as root."""
    server.say(f"dry run of {task}: this is what would be asked, nothing is")
    for words in questions:
        server.say(commands.join(words))
