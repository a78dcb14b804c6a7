"""Proves a candidate before the switch, and watches it after the switch."""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from toxctl import events, memory, systemd
from toxctl.errors import NotReady, ToxctlError
from toxctl.manifest import Expected
from toxctl.probe import LIVE_REQUEST_SECONDS, check_golden, check_ready
from toxctl.slots import Slots

__all__ = ["NOT_READY_SECONDS", "POLL_SECONDS", "Watch", "prove"]

POLL_SECONDS = 0.2
QUESTION_SECONDS = 1.0  # between two requests to a live slot: each runs the model
CANDIDATE_OOM_SCORE = 900  # when memory runs out, the candidate is killed
NOT_READY_SECONDS = 15.0  # an app that reports "not ready" for so long will not become ready
STALE_SECONDS = 2.0  # nginx may keep a connection to the old slot for a moment after the switch


def prove(
    slots: Slots, slot: str, expected: Expected, seconds: float, poll: float = POLL_SECONDS
) -> int:
    """Wait until the candidate is ready and its golden outputs match.

    Args:
        seconds: how long it may take.
        poll: seconds between two checks.

    Returns:
        Its main process; 0 if systemd names none.

    Raises:
        ToxctlError: it failed, or was not ready in time.
    """
    end = time.monotonic() + seconds
    first_pid: int | None = None
    refusing_since: float | None = None
    last = ToxctlError("it was not asked")
    while True:
        state = systemd.unit_state(slots.unit(slot))
        first_pid = first_pid or state.main_pid or None
        failure = systemd.unit_failure(state, first_pid)
        if failure:
            words = f"slot {slot}: {failure}; last answer: {last}"
            raise ToxctlError(words, "unit", last.details)
        memory.set_oom_score(state.group, CANDIDATE_OOM_SCORE)
        try:
            check_ready(slots.url(slot), expected.model, slot)
            count = check_golden(slots.url(slot), expected)
            events.say(f"{slot}: ready, {count} golden outputs match")
            return first_pid or 0
        except NotReady as error:
            last, now = error, time.monotonic()
            refusing_since = (refusing_since or now) if error.by_app else None
            words = ""
            if refusing_since and now - refusing_since > min(NOT_READY_SECONDS, seconds):
                words = f"slot {slot} reports that it is not ready: {error}"
            elif now > end:
                words = f"slot {slot} is not ready after {seconds:g} s: {error}"
            if words:
                raise ToxctlError(words, error.kind, error.details) from None
        time.sleep(poll)


class Watch(NamedTuple):
    """A slot that the link was just pointed to, and the processes that it had then."""

    slots: Slots
    slot: str
    expected: Expected
    main_pid: int
    processes: list[int]
    poll: float = POLL_SECONDS

    def check_unit(self) -> None:
        """Raise ToxctlError if one of the processes is gone, even if another took its place."""
        state = systemd.unit_state(self.slots.unit(self.slot))
        failure = systemd.unit_failure(state, self.main_pid)
        lost = [pid for pid in self.processes if not os.path.exists(f"{memory.PROC}/{pid}")]
        if failure or lost:
            words = failure or f"its process {lost[0]} ended"
            raise ToxctlError(f"slot {self.slot} after the switch: {words}", "unit")

    def ask(self, limit: int | None) -> None:
        """Ask through the link, as a client does; ToxctlError if the answer is wrong.

        Args:
            limit: how many golden outputs; None for all.
        """
        live = self.slots.url("live")
        try:
            check_ready(live, self.expected.model, self.slot, LIVE_REQUEST_SECONDS)
            check_golden(live, self.expected, limit, LIVE_REQUEST_SECONDS)
        except ToxctlError as error:
            words = f"slot {self.slot} after the switch: {error}"
            kind = NotReady if isinstance(error, NotReady) else ToxctlError
            raise kind(words, error.kind, error.details) from None

    def confirm(self) -> None:
        """Get every golden output through the link once; ToxctlError otherwise."""
        end = time.monotonic() + STALE_SECONDS
        failed = False
        while True:
            self.check_unit()
            try:
                return self.ask(limit=None)
            except ToxctlError as error:
                if time.monotonic() > end:
                    # One lost answer proves nothing here either, and may take all the time.
                    if failed or not isinstance(error, NotReady):
                        raise
                    failed = True
            time.sleep(self.poll)

    def watch(self, seconds: float) -> None:
        """Check processes and answers for some seconds; ToxctlError if anything is wrong."""
        end, next_question = time.monotonic() + seconds, 0.0
        failed = False
        while failed or time.monotonic() < end:
            self.check_unit()
            if time.monotonic() >= next_question:
                try:
                    self.ask(limit=1)
                    failed = False
                except NotReady:
                    if failed:  # one lost answer on a busy machine proves nothing
                        raise
                    failed = True
                next_question = time.monotonic() + (0 if failed else QUESTION_SECONDS)
            time.sleep(self.poll)
