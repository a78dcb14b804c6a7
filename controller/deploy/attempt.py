"""One attempt to change one server: its phases, their hooks and times, and how it ends.

An attempt holds the server's lock through its session. However it ends, the audit gets its end:
done, nothing, failed or interrupted from here, or written by the server when this laptop is gone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from controller.deploy.connection import ConnectionLost
from controller.deploy.errors import DeployError
from controller.deploy.hooks import HookError, Hooks
from controller.deploy.servers import Server
from controller.deploy.session import Session

__all__ = ["Attempt", "Interrupted", "attempt", "hooks_of"]

GOES_ON = {
    "prepare": "nothing was changed there",
    "upload": "what was sent stays there, and the next try goes on from it",
    "verify": "what is being checked there goes on to its end and switches nothing",
    "activate": "the switch there goes on to its end by itself: the new version serves once it has "
    "proven itself, otherwise the old one does",
    "confirm": "the watch over the new version there goes on to its end by itself: it stays if it "
    "does well, otherwise the old one is back at once",
    "clean": "the change itself is done, only what is no longer needed may still be there",
}
SWITCHING = ("activate", "confirm")


class Interrupted(DeployError):
    """The user (or a signal) ended the attempt."""


def hooks_of(server: Server, task: str, release: str) -> Hooks:
    """Return the hooks that an attempt on this server has."""
    host = server.remote.host
    return Hooks(host.hooks_dir, task, server.name, release, server.url)


class Attempt:
    """An attempt that is under way."""

    def __init__(self, server: Server, task: str, release: str, goes_on: Mapping[str, str]) -> None:
        self.server = server
        self.task = task
        self.goes_on = {**GOES_ON, **goes_on}
        self.result = "done"
        self.phase = ""
        self.seconds: dict[str, float] = {}
        self.began = self.entered = time.monotonic()
        self.hooks = hooks_of(server, task, release)
        self.hooks.names()  # a name that is wrong is told before anything is done
        self.session = Session(server, task)

    def begin(self) -> None:
        """Wait for the lock and enter the first phase."""
        self.phase = "prepare"
        self.session.open()
        self.announce()

    def enter(self, phase: str) -> None:
        """Leave the phase that was and enter the next one.

        Raises HookError: a hook said no. DeployError: the lock is not ours any more.
        """
        if phase == self.phase:
            return
        self.after()
        self.session.check()
        self.phase = phase
        self.entered = time.monotonic()
        self.announce()

    def announce(self) -> None:
        """Tell the server and the user which phase it is."""
        self.session.send({"phase": self.phase})
        self.server.say(self.phase)
        self.hooks.run("before", self.phase)

    def leave(self) -> None:
        """Leave the last phase; HookError when the hook after it fails."""
        self.after()
        self.phase = ""

    def after(self) -> None:
        """Note how long the phase took, if one is on, and run the hook after it."""
        if not self.phase:
            return
        self.seconds[self.phase] = time.monotonic() - self.entered
        try:
            self.hooks.run("after", self.phase)
        except HookError as error:
            if self.phase != "clean":
                raise
            self.server.say(f"warning: {error}")

    def note(self, **values: Any) -> None:
        """Add to the audit's line."""
        self.session.send({"note": values})

    def times(self) -> str:
        """Return how long it took, in all and by phase."""
        total = time.monotonic() - self.began
        parts = [f"{name} {seconds:.1f}" for name, seconds in self.seconds.items()]
        return f"{total:.1f} s: {', '.join(parts)}"

    def cut(self, what: str) -> str:
        """Return what happened in which phase, what goes on on the server, and the next command."""
        again = f"type `fab {self.task}` again"
        follow = f"see `fab status`, then {again}"
        if self.phase in SWITCHING:
            follow = "see `fab status`, and `fab rollback` brings back what was"
        goes_on = self.goes_on.get(self.phase, "nothing is under way there")
        where = f" in phase {self.phase}" if self.phase else ""
        return f"{what}{where} of {self.task} on {self.server.name}; {goes_on}: {follow}"


@contextmanager
def attempt(
    server: Server, task: str, release: str, goes_on: Mapping[str, str] | None = None
) -> Iterator[Attempt]:
    """Hold the server's lock for an attempt and write down how it ended.

    `goes_on`: phase -> what goes on there without this laptop, where that differs from GOES_ON.
    Raises DeployError: locked by somebody else, or whatever ended the attempt.
    """
    now = Attempt(server, task, release, goes_on or {})
    try:
        now.begin()
        yield now
        now.leave()
        if not now.session.end(now.result, None):
            server.say("warning: the end of this did not reach the server: see `fab status`")
    except ConnectionLost:
        raise DeployError(now.cut("the connection broke off")) from None
    except KeyboardInterrupt:
        words = now.cut("interrupted")
        # A switch that goes on keeps the lock until its end, if only the server is left alone.
        if now.phase not in SWITCHING:
            now.session.end("interrupted", words)
        raise Interrupted(words) from None
    except BaseException as error:
        now.session.end("failed", str(error) or type(error).__name__)
        raise
    finally:
        now.session.close()
