"""`fab unlock`: take the lock from an attempt whose laptop is gone."""

from __future__ import annotations

from controller.deploy.errors import DeployError
from controller.deploy.servers import Server
from controller.deploy.session import holder_words, who
from controller.deploy.tools import ToolError, releasectl

__all__ = ["unlock"]


def unlock(server: Server, dry_run: bool) -> bool:
    """Take the lock away from whoever holds it and say who that was; return whether one was held.

    Raises DeployError: a switch is under way, which ends by itself.
    """
    if dry_run:
        holder = releasectl(server, "lock").answer()["holder"]
        words = f"would take the lock from {holder_words(holder)}" if holder else "nobody holds it"
        server.say(f"dry run of unlock: {words}")
        return False
    try:
        holder = releasectl(server, "unlock", "--by", who()).answer()["holder"]
    except ToolError as error:
        if error.kind == "activating":
            raise DeployError(f"the lock on {server.name} stays: {error}") from None
        raise
    if not holder:
        server.say("nobody holds the lock, nothing to do")
        return False
    server.say(f"unlocked: it was held by {holder_words(holder)}")
    return True
