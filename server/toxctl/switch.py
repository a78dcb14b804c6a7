"""Switches to a release without losing a request, or leaves the live slot untouched.

The release starts in the idle slot, is proven through nginx with the model's golden outputs, and
becomes live by a rename of the link. It is watched beside the old slot, then recorded in
confirmed.json, and only then the old slot is stopped. Before the rename the live slot is not
touched; until the release is confirmed the way back is one rename.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any, NamedTuple

from toxctl import events, memory, signals, systemd
from toxctl.advice import next_step
from toxctl.errors import Interrupted, NginxDown, NotReady, ToxctlError
from toxctl.files import link_target, point_link
from toxctl.manifest import Expected, expected_of
from toxctl.probe import LIVE_REQUEST_SECONDS, ask, check_golden, check_ready
from toxctl.recover import remove_from_service, settle, stop_failed
from toxctl.slots import Release, Slots
from toxctl.watch import POLL_SECONDS, Watch, prove

__all__ = ["Pace", "activate"]


class Pace(NamedTuple):
    """How long the parts of an activation take, in seconds.

    Attributes:
        deadline: for the candidate to become ready.
        watch: how long it is watched after the switch.
        poll: between two checks.
    """

    deadline: float
    watch: float
    poll: float = POLL_SECONDS


def activate(slots: Slots, release: Release, pace: Pace, force: bool = False) -> dict[str, Any]:
    """Bring the release into service and return what `toxctl activate` reports.

    Args:
        force: switch even if the live slot runs this release already.

    Raises:
        ToxctlError: the slot that was live before stays live, or is live again.
    """
    expected = expected_of(release.model)
    before = slots.live()
    try:
        ask(slots.url("live") + "/livez", seconds=LIVE_REQUEST_SECONDS)
    except NginxDown as error:
        rest = "nothing serves" if before is None else f"slot {before} stays live but cannot serve"
        raise ToxctlError(f"not activated: {error}; {rest}", "nginx", serving=False) from None
    except NotReady:
        pass  # the candidate is what has to answer
    if before is not None and not force and _is_live(slots, release, expected):
        changed = settle(slots, before)
        confirmed = slots.confirmed() or slots.confirm(before, release)
        # Of a first run that was interrupted.
        memory.set_oom_score(systemd.unit_state(slots.unit(before)).group, 0)
        _follow(slots, release)
        events.say(f"{before}: model {expected.model} is live already, nothing to do")
        return _result(changed, before, release, expected, confirmed)

    events.phase("activate")
    attempt = _Switch(slots, before, release, pace)
    confirmed = attempt.run(expected)
    slot = attempt.slot
    try:
        memory.set_oom_score(systemd.unit_state(slots.unit(slot)).group, 0)
        _follow(slots, release)
        settle(slots, slot, attempt.switched)
    except (ToxctlError, OSError) as error:  # what is confirmed is live all the same
        events.say(f"{error}: `sudo toxctl recover` on the server, or a deploy, repairs that")
    events.say(f"{slot}: model {expected.model} is live")
    return _result(True, slot, release, expected, confirmed)


def _is_live(slots: Slots, release: Release, expected: Expected) -> bool:
    """Return whether the live slot runs the release and answers as it should."""
    live = slots.live()
    if live is None or slots.pinned(live) != release:
        return False
    try:
        check_ready(slots.url("live"), expected.model, live)
        check_golden(slots.url("live"), expected, limit=1)
    except ToxctlError as error:
        events.say(f"{live}: runs this release but does not answer as it should ({error})")
        return False
    return True


def _follow(slots: Slots, release: Release) -> None:
    """Let app_link name the live app: restores run with it."""
    if os.path.realpath(slots.config.app_link) != release.app:
        point_link(slots.config.app_link, release.app)


def _result(
    changed: bool, slot: str, release: Release, expected: Expected, confirmed: dict[str, Any]
) -> dict[str, Any]:
    """Return what an activation reports at its end."""
    return {
        "changed": changed,
        "slot": slot,
        **release._asdict(),
        "model_version": expected.model,
        "previous": confirmed.get("previous"),
    }


class _Switch:
    """One attempt to make a release live, and its way back."""

    def __init__(self, slots: Slots, before: str | None, release: Release, pace: Pace) -> None:
        self.slots, self.release, self.pace = slots, release, pace
        self.before = before
        self.slot = slots.idle(before)
        self.old_target = link_target(slots.config.live_link)
        self.switched: float | None = None  # when the link was pointed to the candidate
        self.back_answered = False  # the old slot, after the way back

    def run(self, expected: Expected) -> dict[str, Any]:
        """Start, prove, switch, watch and confirm; return what is confirmed.

        Raises:
            ToxctlError: everything is as it was before.
        """
        link = self.slots.config.live_link
        if self.before is None and self.old_target is not None:
            events.say(f"{link} points to {self.old_target}, no slot's socket: nothing is live")
        started = time.time()
        try:
            main_pid = self._start(expected)
            unit = self.slots.unit(self.slot)
            systemd.systemctl("enable", unit)
            processes = memory.processes(systemd.unit_state(unit).group)
            watch = Watch(self.slots, self.slot, expected, main_pid, processes, self.pace.poll)
            self.switched = time.monotonic()
            point_link(link, self.slots.socket(self.slot))
            events.phase("confirm")  # after the switch: a hook after activate meets the new version
            watch.confirm()
            events.phase("watch")
            events.say(f"{self.slot}: live, watching it for {self.pace.watch:g} s")
            watch.watch(self.pace.watch)
            signals.ignore_ending()  # from here on there is no way back
            return self.slots.confirm(self.slot, self.release)
        except BaseException as error:
            signals.ignore_ending()
            raise self._go_back(started, error) from None

    def _start(self, expected: Expected) -> int:
        """Start the release in the idle slot and prove it; return its main process."""
        unit = self.slots.unit(self.slot)
        systemd.systemctl("stop", unit)
        self.slots.pin(self.slot, self.release)
        systemd.systemctl_if_possible("reset-failed", unit)  # fails where nothing is loaded
        app = os.path.basename(self.release.app)
        events.say(f"{self.slot}: starting model {expected.model} with app {app}")
        systemd.systemctl("start", "--no-block", unit)
        return prove(self.slots, self.slot, expected, self.pace.deadline, self.pace.poll)

    def _go_back(self, started: float, error: BaseException) -> ToxctlError:
        """Return to the old slot, stop the candidate, and return the error to report.

        Its `back_seconds` is how long it took from the fault until the old slot was live again;
        None before the switch.
        """
        noticed, back_seconds = time.monotonic(), None
        if self.switched is not None:
            point_link(self.slots.config.live_link, self.old_target)
            self.back_answered = self.before is not None and self._answers_again(self.before)
            if self.back_answered:
                back_seconds = round(time.monotonic() - noticed, 3)
            after = "" if back_seconds is None else f" after {back_seconds:.1f} s"
            events.say(f"{self.before or 'no slot'}: live again{after}")
            time.sleep(self.slots.config.drain_seconds)  # the candidate answers what it accepted
        unit = self.slots.unit(self.slot)
        lines = systemd.journal(unit, started)
        try:
            stop_failed(self.slots, self.slot, self.pace.poll)
            remove_from_service(self.slots, self.slot)
            rest = "the candidate is stopped"
        except ToxctlError as second:
            rest = f"the candidate could not be stopped ({second})"
        kept, serving = self._kept()
        answer = getattr(error, "details", "")
        details = f"last {systemd.JOURNAL_LINES} journal lines of {unit}:\n{lines}"
        is_own = isinstance(error, ToxctlError | Interrupted)
        words = str(error) if is_own else f"{type(error).__name__}: {error}"
        step = next_step(error)
        return ToxctlError(
            f"not activated: {words}; {rest}, {kept}" + (f": {step}" if step else ""),
            "interrupted" if isinstance(error, Interrupted) else "other",
            f"{answer}\n{details}" if answer else details,
            back_seconds=back_seconds,
            serving=serving,
        )

    def _kept(self) -> tuple[str, bool]:
        """Return what is live after a failed activation, and whether it answers."""
        if self.before is None:
            return "nothing is live, as before", False
        if self.back_answered or self._answers_again(self.before):
            return f"slot {self.before} stays live", True
        unit = self.slots.unit(self.before)
        step = f"run `sudo systemctl restart {unit}` on the server"
        return f"slot {self.before} is live but does not answer ({step})", False

    def _answers_again(self, slot: str) -> bool:
        """Wait a moment until the slot answers through the link."""
        end = time.monotonic() + LIVE_REQUEST_SECONDS
        while time.monotonic() < end:
            with contextlib.suppress(NotReady):
                url = self.slots.url("live") + "/livez"
                _, answer = ask(url, seconds=LIVE_REQUEST_SECONDS)
                if isinstance(answer, dict) and answer.get("slot") == slot:
                    return True
            time.sleep(self.pace.poll)
        return False
