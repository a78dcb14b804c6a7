"""`fab unlock`: release the deploy lock of an attempt whose laptop is gone."""

from __future__ import annotations

from controller.deploy.errors import DeployError
from controller.deploy.remote_toxctl import ToxctlError
from controller.deploy.server import Server
from controller.deploy.session import describe_holder, who

__all__ = ["unlock"]


def unlock(server: Server, *, dry_run: bool = False) -> bool:
    """Release the deploy lock and print who held it; return whether it was held.

    Raises DeployError: a switch is under way, which ends by itself.
    """
    if dry_run:
        holder = server.toxctl("lock").result()["holder"]
        words = f"would be taken from {describe_holder(holder)}" if holder else "is free"
        server.say(f"dry run of unlock: the deploy lock {words}")
        return False
    try:
        holder = server.toxctl("unlock", "--by", who()).result()["holder"]
    except ToxctlError as error:
        if error.kind == "activating":
            raise DeployError(f"the deploy lock on {server.name} stays: {error}") from None
        raise
    if not holder:
        server.say("the deploy lock is free, nothing to do")
        return False
    server.say(f"unlocked, it was held by {describe_holder(holder)}")
    return True
