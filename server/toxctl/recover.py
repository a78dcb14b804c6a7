"""Makes link, slots and units agree with what was confirmed last, and stops what is not live.

At boot, before each activation and on request: an activation that was interrupted (killed, power
cut) is undone, the slot that confirmed.json names is live again.
"""

from __future__ import annotations

import time

from toxctl import events, memory, systemd
from toxctl.errors import ToxctlError
from toxctl.files import link_target, point_link
from toxctl.manifest import expected_of
from toxctl.slots import Release, Slots
from toxctl.watch import NOT_READY_SECONDS, POLL_SECONDS, prove

__all__ = ["recover", "remove_from_service", "settle", "stop_failed"]

FAILED_STOP_SECONDS = 5.0


def recover(slots: Slots, boot: bool = False) -> bool:
    """Return to what confirmed.json names; return whether anything had to be changed.

    Where nothing was ever confirmed, everything stays as it is.

    Args:
        boot: the machine is starting, so systemd's own jobs are not waited for.
    """
    confirmed = slots.confirmed()
    if confirmed is None:
        return False
    slot, release = confirmed["slot"], Release(confirmed["app"], confirmed["model"])
    changed = False
    if slots.pinned(slot) != release:
        slots.pin(slot, release)
        changed = True
    if link_target(slots.config.live_link) != slots.socket(slot):
        changed = True
        at = confirmed.get("at")
        events.say(f"an activation was interrupted: back to slot {slot}, confirmed at {at}")
        if not boot and not systemd.unit_state(slots.unit(slot)).running:
            systemd.systemctl("start", "--no-block", slots.unit(slot))
            # The candidate may answer meanwhile. It is stopped even if the old slot does not start.
            try:
                prove(slots, slot, expected_of(release.model), NOT_READY_SECONDS)
            except ToxctlError as error:
                events.say(f"{slot}: {error}")
        point_link(slots.config.live_link, slots.socket(slot))
    if not boot:
        memory.set_oom_score(systemd.unit_state(slots.unit(slot)).group, 0)
    return settle(slots, slot, boot=boot) or changed


def settle(slots: Slots, live: str, switched: float | None = None, boot: bool = False) -> bool:
    """Make systemd agree with the link: the live slot enabled, the other one stopped.

    Also completes what a killed run left. Returns whether anything had to be changed.

    Args:
        switched: since when (monotonic) the other slot gets no requests; None: since now.
        boot: the machine is starting, so systemd's own jobs are not waited for.
    """
    changed = False
    if not systemd.is_enabled(slots.unit(live)):
        systemd.systemctl("enable", *_no_reload(boot), slots.unit(live))
        if boot:
            systemd.systemctl("start", "--no-block", slots.unit(live))
        changed = True
    for slot in slots.names:
        state = systemd.unit_state(slots.unit(slot))
        if slot == live or not (state.running or systemd.is_enabled(slots.unit(slot))):
            continue
        changed = True
        now = time.monotonic()
        drain = (now if switched is None else switched) + slots.config.drain_seconds - now
        if state.running and drain > 0 and not boot:
            events.say(f"{slot}: draining its requests ({drain:.1f} s)")
            time.sleep(drain)
        remove_from_service(slots, slot, boot)
        events.say(f"{slot}: stopped and disabled")
    return changed


def remove_from_service(slots: Slots, slot: str, boot: bool = False) -> None:
    """Stop and disable a slot that is not live.

    Disabled first: a reboot must not bring it back.
    """
    unit = slots.unit(slot)
    try:
        systemd.systemctl("disable", *_no_reload(boot), unit)
    finally:
        systemd.systemctl("stop", *(["--no-block"] if boot else []), unit)
        if not boot:
            systemd.systemctl_if_possible("reset-failed", unit)  # a slow stop ends as "failed"


def stop_failed(slots: Slots, slot: str, poll: float = POLL_SECONDS) -> None:
    """Give a failed candidate some seconds to answer what it has accepted, then kill it."""
    unit, end = slots.unit(slot), time.monotonic() + FAILED_STOP_SECONDS
    systemd.systemctl("stop", "--no-block", unit)
    while systemd.unit_state(unit).running and time.monotonic() < end:
        time.sleep(poll)
    if systemd.unit_state(unit).running:
        systemd.systemctl_if_possible("kill", "--signal=KILL", unit)


def _no_reload(boot: bool) -> list[str]:
    """Return systemctl's option for a change at boot, when systemd must not reload its units."""
    return ["--no-reload"] if boot else []
