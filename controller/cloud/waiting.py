"""Waiting for a server, with a line for whatever changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from linode_api4 import LinodeClient

from controller.cloud.api_errors import Refused, explained
from controller.deploy.errors import DeployError

__all__ = ["Clock", "boots", "wait_for"]

SECONDS_BETWEEN_LINES = 15
BOOT_SECONDS = 900
GONE = ("deleting", "migrating", "rebuilding", "cloning", "restoring")
# Without these there is no server; any other event that failed, such as a snapshot, leaves it.
MAKING = ("linode_create", "linode_boot")


@dataclass(frozen=True)
class Clock:
    """Time, and how to let it pass."""

    now: Callable[[], float] = field(default=time.monotonic)
    sleep: Callable[[float], None] = field(default=time.sleep)


def wait_for(
    what: str,
    look: Callable[[], tuple[bool, str]],
    say: Callable[[str], None],
    clock: Clock,
    *,
    every: float,
    at_most: float,
) -> None:
    """Look again and again until it is so.

    Args:
        what: is waited for, such as "web-1 to boot".
        look: returns whether it is so, and the state in a few words.
        say: takes a line when the state changes, and every 15 seconds.
        clock: measures and lets pass.
        every: seconds between two looks.
        at_most: seconds until DeployError, which has the last state.
    """
    begin = clock.now()
    said: str | None = None
    next_line = begin
    while True:
        done, state = look()
        now = clock.now()
        passed = now - begin
        if done:
            if said is not None:
                say(f"  {state} ({passed:.0f} s)")
            return
        if passed > at_most:
            raise DeployError(
                f"waited {at_most / 60:.0f} minutes for {what}, in vain: {state.rstrip('.')}. What "
                "was created stays: rerun the command to wait on, or end it with "
                "`fab destroy-server`"
            )
        if said is None:
            say(f"waiting for {what} ...")
        if state != said or now >= next_line:
            say(f"  {state} ({passed:.0f} s)")
            next_line = now + SECONDS_BETWEEN_LINES
        said = state
        clock.sleep(every)


def boots(client: LinodeClient, server: Any, say: Callable[[str], None]) -> tuple[bool, str]:
    """Look whether a server runs, and boot it if it was never; for `wait_for`.

    Raises DeployError: its creation or its boot failed, or it goes away.
    """
    with explained(f"asking for the state of {server.label}"):
        server.invalidate()
        status = str(server.status)
        events = _events(client, server.id)
        made = next((one for one in events if one["action"] in MAKING), {})
        if status != "running" and made.get("status") == "failed":
            raise DeployError(
                f"{made['action']} of {server.label} failed at Linode"
                f"{': ' + made['message'] if made.get('message') else ''}: run "
                "`fab destroy-server`, then rerun the command"
            )
        if status in GONE:
            raise DeployError(
                f"the server {server.label} is {status}: see https://cloud.linode.com/linodes, "
                "then rerun the command"
            )
        event = next(iter(events), {})
        if status == "offline" and event.get("status") not in ("scheduled", "started"):
            say(f"  {server.label} is off: booting it")
            server.boot()
    percent = event.get("percent_complete")
    done = f", {event['action']} {percent} %" if percent and status != "running" else ""
    return status == "running", f"{server.label} is {status}{done}"


def _events(client: LinodeClient, server_id: int) -> list[dict[str, Any]]:
    """Return what Linode did with a server, the last first; none if the token may not read it."""
    asked = {
        "entity.id": server_id,
        "entity.type": "linode",
        "+order_by": "created",
        "+order": "desc",
    }
    try:
        with explained("asking for events"):
            listed = client.get("/account/events", filters=asked)["data"]
    except Refused as error:
        if error.status != 403:
            raise
        return []
    return [dict(one) for one in listed]
