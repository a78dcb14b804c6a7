"""One attempt to change one server: its phases, their hooks and times, and how it ends.

An attempt holds the deploy lock through its session. However it ends, the audit log records it:
done, nothing, failed or interrupted by the laptop, or by the server if the laptop is gone.
"""

from __future__ import annotations

import os
import posixpath
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from controller.deploy.errors import DeployError
from controller.deploy.hooks import HookError, Hooks
from controller.deploy.releases import describe
from controller.deploy.remote import ConnectionLost
from controller.deploy.server import Server
from controller.deploy.session import Session

__all__ = [
    "SWITCHING", "Attempt", "Interrupted", "attempt", "hooks_of", "ignore_closed_output",
]  # fmt: skip

# What happens on the server after the laptop has left, by phase.
AFTERMATH = {
    "prepare": "nothing was changed on the server",
    "upload": "the uploaded data is kept, and the next run resumes from it",
    "verify": "the verification on the server runs to its end and switches nothing",
    "activate": "the server completes the switch by itself: the new release goes live if it passes "
    "its health checks, otherwise the previous release stays live",
    "confirm": "the server watches the new release by itself: it stays live if it is healthy, "
    "otherwise the server rolls back",
    "clean": "the change itself is complete, only old releases may still have to be removed",
}
SWITCHING = ("activate", "confirm")


def ignore_closed_output() -> None:
    """Let what is printed go nowhere if it cannot be printed, as with `| head` or a full disk."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Interrupted(DeployError):
    """The user (or a signal) ended the attempt."""


def hooks_of(server: Server, task: str, release: str) -> Hooks:
    """Return the hooks of an attempt on this server."""
    host = server.remote.host
    return Hooks(host.hooks_dir, task, server.name, release, server.url)


class Attempt:
    """A running attempt."""

    def __init__(
        self, server: Server, task: str, release: str, aftermath: Mapping[str, str]
    ) -> None:
        self.server = server
        self.task = task
        self.aftermath = {**AFTERMATH, **aftermath}
        self.outcome = "done"
        self.phase = ""
        self.notes: dict[str, Any] = {}
        self.seconds: dict[str, float] = {}
        self.began = self.entered = time.monotonic()
        self.hooks = hooks_of(server, task, release)
        self.hooks.names()  # an invalid name is reported before anything is done
        self.session = server.reserved or Session(server, task)
        server.reserved = None

    def begin(self) -> None:
        """Wait for the lock and enter the first phase."""
        self.phase = "prepare"
        self.session.open()
        self.announce()

    def enter(self, phase: str) -> None:
        """Leave the current phase and enter the next one.

        Raises:
            HookError: a hook failed.
            DeployError: the lock was taken away.
        """
        if phase == self.phase:
            return
        self.after()
        self.session.check()
        self.phase = phase
        self.entered = time.monotonic()
        self.announce()

    def announce(self) -> None:
        """Report the phase to the server and to the user, and run the hook before it."""
        self.session.send({"phase": self.phase})
        self.say(self.phase)
        self.hooks.run("before", self.phase, self.say)

    def say(self, line: str) -> None:
        """Print a line; an output that nobody reads stops no switch half way."""
        try:
            self.server.say(line)
        except OSError:
            if self.phase not in SWITCHING:
                raise
            ignore_closed_output()

    def leave(self) -> None:
        """Leave the last phase; HookError if the hook after it fails."""
        self.after()
        self.phase = ""

    def after(self) -> None:
        """Note how long the current phase took, if there is one, and run the hook after it."""
        if not self.phase:
            return
        self.seconds[self.phase] = time.monotonic() - self.entered
        try:
            self.hooks.run("after", self.phase, self.say)
        except HookError as error:
            if self.phase != "clean":
                raise
            self.server.say(f"warning: {error}")

    def note(self, **values: Any) -> None:
        """Add to the audit log entry."""
        self.notes.update(values)
        self.session.send({"note": values})

    def times(self) -> str:
        """Return how long it took, in total and by phase."""
        total = time.monotonic() - self.began
        parts = [f"{name} {seconds:.1f}" for name, seconds in self.seconds.items()]
        return f"{total:.1f} s: {', '.join(parts)}"

    def stopped(self, what: str, ask: bool = False) -> str:
        """Return what stopped the attempt, what continues on the server, and the next command.

        `ask`: the connection still works, so the server is asked what is live now.
        """
        follow = f"see `fab status`, then rerun `fab {self.task}`"
        aftermath = self.aftermath.get(self.phase, "nothing is running on the server")
        if self.phase in SWITCHING:
            aftermath, follow = self.switching(aftermath, ask)
        where = f" in phase {self.phase}" if self.phase else ""
        return f"{what}{where} of {self.task} on {self.server.name}; {aftermath}: {follow}"

    def switching(self, aftermath: str, ask: bool) -> tuple[str, str]:
        """Return what a switch that this laptop leaves does, what is live now, and what to type.

        Not `fab rollback` alone: before the switch is confirmed, that is one release too far.
        """
        before, back = self.notes.get("from") or {}, self.way_back()
        report = self.ask_status() if ask else None
        if report is None and "to" not in self.notes:
            again = f"see `fab status`, then rerun `fab {self.task}`"
            return "no switch had begun, what was live is still live", again
        if report is None:
            return aftermath, f"see `fab status`; {back}"
        confirmed = report["confirmed"]
        live = f"{describe(confirmed)} is live" if confirmed else "nothing is live"
        if report["activation"]:
            return f"{aftermath}; until then {live}", f"see `fab status`; {back}"
        if any((confirmed or {}).get(kind) != before.get(kind) for kind in ("app", "model")):
            self.server.switched = True
            return f"the switch is complete, {live}", back
        return f"{live} and no switch is running", f"see `fab status`, then rerun `fab {self.task}`"

    def ask_status(self) -> dict[str, Any] | None:
        """Return toxctl's status; None if the connection has gone meanwhile."""
        try:
            return self.server.toxctl("status", "--quick").result()
        except DeployError:
            return None

    def way_back(self) -> str:
        """Return the command that returns to what was live before this attempt, whatever is now."""
        before, to = self.notes.get("from") or {}, self.notes.get("to") or {}
        changed = [
            posixpath.basename(str(before[kind]))
            for kind in ("model", "app")
            if before.get(kind) and to.get(kind) not in (None, before[kind])
        ]
        if not changed:
            return "nothing was live before, so there is no way back"
        commands = ", then ".join(f"`fab rollback --release {name}`" for name in changed)
        return f"if the new release is live and not wanted, {commands} returns to the one before"


@contextmanager
def attempt(
    server: Server, task: str, release: str, aftermath: Mapping[str, str] | None = None
) -> Iterator[Attempt]:
    """Hold the deploy lock for an attempt and record how it ended.

    Args:
        server: the server to change.
        task: name of the fab task, for the audit log and the messages.
        release: for the hooks.
        aftermath: phase -> what happens without this laptop, where it differs from AFTERMATH.

    Raises:
        DeployError: somebody else holds the lock, or whatever ended the attempt.
    """
    now = Attempt(server, task, release, aftermath or {})
    try:
        now.begin()
        yield now
        now.leave()
        if not now.session.end(now.outcome, None):
            server.say("warning: the end of the attempt did not reach the server: see `fab status`")
    except ConnectionLost:
        raise DeployError(now.stopped("the connection was lost")) from None
    except KeyboardInterrupt:
        words = now.stopped("interrupted", ask=True)
        # A running switch keeps the lock until its end, provided that the session is left open.
        if now.phase not in SWITCHING:
            now.session.end("interrupted", words)
        raise Interrupted(words) from None
    except OSError as error:
        if now.phase not in SWITCHING:
            now.session.end("failed", str(error))
            raise
        # The server goes on, as above.
        ignore_closed_output()
        raise DeployError(now.stopped(str(error), ask=True)) from None
    except BaseException as error:
        now.session.end("failed", str(error) or type(error).__name__)
        raise
    finally:
        now.session.close()
