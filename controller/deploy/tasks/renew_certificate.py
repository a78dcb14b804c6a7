"""`fab renew-certificate`: renew the certificate of HTTPS now, not at the timer's next turn."""

from __future__ import annotations

from controller.deploy import commands
from controller.deploy.balancer import Balancer
from controller.deploy.dry_run import would_ask
from controller.deploy.errors import DeployError
from controller.deploy.remote_toxctl import ToxctlError
from controller.deploy.server import Server
from controller.deploy.tasks.status import certificate_line

__all__ = ["renew_certificate"]


def renew_certificate(
    server: Server | Balancer,
    force: bool = False,
    new_account: bool = False,
    verbose: bool = False,
    *,
    dry_run: bool = False,
) -> bool:
    """Renew the certificate and print what is served; return whether it is another one now.

    Args:
        server: the server, or a balancer.
        force: also if it is not due.
        new_account: register again at the ACME server first.
        verbose: print what certbot printed, if there is no new one.
        dry_run: only name what would be asked.

    Raises DeployError: no new certificate, for the reason in the message; the old one is served.
    """
    words = ["certificate", "renew"]
    words += ["--force"] * force + ["--new-account"] * new_account
    if dry_run:
        would_ask(server, "renew-certificate", commands.toxctl(*words))
        return False
    try:
        found = server.toxctl(*words).result()
    except ToxctlError as error:
        log = error.answer.get("log")
        if verbose or not log:
            raise
        where = f"certbot's output: {log} on the server, or add --verbose"
        raise DeployError(f"{error} ({where})") from None
    changed: bool = found["changed"]
    server.say(certificate_line(found))
    server.say("served from the next connection on" if changed else "not due, nothing was changed")
    return changed
