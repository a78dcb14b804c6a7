"""The balancers of a cluster: an app host is out of them while it switches releases.

`toxctl balancer hold-out` on the balancer holds it out as long as the laptop is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from controller.deploy import commands
from controller.deploy.errors import DeployError
from controller.deploy.remote import ConnectionLost, Process, Remote
from controller.deploy.remote_toxctl import ToxctlCall, ToxctlError, no_answer, parse_line
from controller.deploy.typed import completed

__all__ = ["BALANCER_STATUS", "CERTIFICATE_STATUS", "Balancer", "Machine", "without"]

BALANCER_STATUS = ("balancer", "status")
CERTIFICATE_STATUS = ("certificate", "status")


class Machine:
    """A host of a cluster with an open connection, whatever runs there."""

    def __init__(self, remote: Remote) -> None:
        self.remote = remote
        self.name = remote.host.name

    def say(self, line: str) -> None:
        """Print a line with the host's name before it."""
        print(f"{self.name}: {completed(line)}", flush=True)

    def toxctl(self, *arguments: str) -> ToxctlCall:
        """Start a verb of toxctl."""
        return ToxctlCall(self.remote, self.say, *arguments)


class Balancer(Machine):
    """A balancer with an open connection."""

    def hosts(self) -> list[dict[str, Any]]:
        """Return the app hosts as the balancer sees them: `name`, `status`, `check`, `serves`."""
        return list(self.toxctl(*BALANCER_STATUS).result()["hosts"])

    def certificate(self) -> dict[str, Any]:
        """Return what it serves over TLS; ToxctlError, kind `config`, for plain HTTP."""
        return self.toxctl(*CERTIFICATE_STATUS).result()

    @contextmanager
    def without(self, host: str) -> Iterator[None]:
        """Hold an app host out, and put it back at the end.

        Raises DeployError: it cannot be taken out, or does not pass the health check afterwards.
        If the body failed, that is a warning, and the body's error counts.
        """
        with self.before_switch(host):
            process = self.remote.start(commands.toxctl("balancer", "hold-out", host))
        with process:
            with self.before_switch(host):
                taken_out = self.next(process).get("taken_out")
            if taken_out:
                self.say(f"{host} is out until it has switched")
            try:
                yield
            except BaseException:
                try:
                    self.put_back(process, host)
                except DeployError as error:
                    self.say(f"warning: {error}")
                raise
            self.put_back(process, host)

    @contextmanager
    def before_switch(self, host: str) -> Iterator[None]:
        """Raise DeployError if the connection is lost: not the app host's, which is as it was."""
        try:
            yield
        except ConnectionLost:
            raise DeployError(
                f"the connection to {self.name} was lost before {host} switched: see `fab status`, "
                "then rerun the command"
            ) from None

    def put_back(self, process: Process, host: str) -> None:
        """Let the host in again; DeployError if its health check fails."""
        process.close_input()
        try:
            found = self.next(process)
        except ConnectionLost:
            raise DeployError(
                f"the connection to {self.name} was lost, which puts {host} back by itself: see "
                "`fab status`"
            ) from None
        if found.get("taken_out"):
            self.say(f"{host} is back")

    def next(self, process: Process) -> dict[str, Any]:
        """Return the next result, and show what is said before it; DeployError for an error."""
        for line in process:
            value = parse_line(line)
            if "say" in value:
                self.say(str(value["say"]))
            elif "error" in value:
                raise ToxctlError(value)
            elif isinstance(value.get("result"), dict):
                return dict(value["result"])
        raise no_answer(self.name, process.wait())


@contextmanager
def without(balancers: Sequence[Balancer], host: str) -> Iterator[None]:
    """Hold an app host out of every balancer."""
    with ExitStack() as stack:
        for balancer in balancers:
            stack.enter_context(balancer.without(host))
        yield
