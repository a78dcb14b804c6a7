"""`fab logs`: the service's journal."""

from __future__ import annotations

from controller.deploy import commands
from controller.deploy.dry_run import would_ask
from controller.deploy.errors import DeployError
from controller.deploy.server import Server

__all__ = ["logs"]


def logs(server: Server, lines: int = 50, follow: bool = False, *, dry_run: bool = False) -> None:
    """Print the last lines of both slots' journal; `follow`: and new ones until Ctrl-C."""
    words = commands.logs(server.settings.unit, lines, follow)
    if dry_run:
        would_ask(server, "logs", words)
        return
    try:
        done = server.remote.show(words)
    except KeyboardInterrupt as signal:
        if not follow or signal.args:  # SIGTERM or SIGHUP (`controller.deploy.cli.interrupt`)
            raise
        print()
        raise SystemExit(0) from None
    if done.code:
        reason = (done.stderr.strip() or f"exit code {done.code}").splitlines()[-1].rstrip(".")
        raise DeployError(
            f"the journal of {server.name} cannot be read: {reason}: see `fab doctor`, then rerun "
            "the command"
        )
