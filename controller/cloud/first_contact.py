"""The first session with a new server: authenticated, and it replaces the host key.

The key that cloud-init was given is known to whoever can read the server's user data, which is
every program on it. So the server makes another one, its public part comes back through the
authenticated session, and only that one stays in known_hosts. Cut off anywhere, the next run goes
on: both keys are accepted until the new one has answered.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from controller.cloud.known_hosts import FIRST, OWN, KnownHosts, Pinned, host_pattern
from controller.cloud.waiting import Clock, wait_for
from controller.deploy.connection import connect
from controller.deploy.errors import DeployError
from controller.deploy.inventory import Host

__all__ = ["first_contact"]

SSH_SECONDS = 600
EVERY_SECONDS = 3.0
# The server has none of this project's programs yet.
MAKE = (
    "set -eu; umask 077; cd /etc/ssh; next=ssh_host_ed25519_key.next; "
    'if ! [ -s "$next.pub" ]; then rm -f "$next"; ssh-keygen -q -t ed25519 -N "" -C "" -f "$next"; '
    'fi; cat "$next.pub"'
)
# sshd reads its host keys anew when it is reloaded; this session goes on.
USE = (
    "set -eu; cd /etc/ssh; next=ssh_host_ed25519_key.next; "
    'if [ -e "$next" ]; then mv -f "$next.pub" ssh_host_ed25519_key.pub; '
    'mv -f "$next" ssh_host_ed25519_key; chmod 644 ssh_host_ed25519_key.pub; fi; '
    "systemctl reload ssh 2>/dev/null || systemctl reload sshd"
)


def first_contact(
    label: str,
    address: str,
    key_file: Path | None,
    known: KnownHosts,
    say: Callable[[str], None],
    *,
    port: int = 22,
    clock: Clock | None = None,
) -> None:
    """Wait until SSH answers with a pinned key, and replace the one that cloud-init was given.

    Args:
        label: of the server.
        address: of the server, IPv4.
        key_file: the operator's private key; None: ssh-agent's.
        known: the inventory's known_hosts.
        say: takes a line for each step.
        port: of SSH.
        clock: for the times that are waited.

    Raises DeployError: no answer in ten minutes, another host key, or a login that is refused.
    """
    clock = clock or Clock()
    host = Host(label, address, port, "root", key_file, (known.path,))
    pattern = host_pattern(address, port)
    pinned = known.keys(label)
    if not pinned:
        raise DeployError(
            f"the host key of {label} is not in {known.path}, which another laptop may have: copy "
            "it from there, or run `fab destroy-server` and create the server anew"
        )
    known.pin(label, pattern, pinned)
    _wait_for_ssh(host, "SSH", say, clock)
    first = [one for one in pinned if one.origin == FIRST]
    if not first:
        return
    say("replacing the host key that cloud-init was given with one made on the server")
    own = Pinned(_public(_run(host, MAKE), label), OWN)
    known.pin(label, pattern, [*first, own])
    _run(host, USE)
    with tempfile.TemporaryDirectory() as directory:
        only = KnownHosts(Path(directory) / "known_hosts")
        only.pin(label, pattern, [own])
        _wait_for_ssh(replace(host, known_hosts=(only.path,)), "the new host key", say, clock)
    known.pin(label, pattern, [own])


def _wait_for_ssh(host: Host, what: str, say: Callable[[str], None], clock: Clock) -> None:
    def look() -> tuple[bool, str]:
        try:
            with connect(host):
                return True, f"{host.name} answers at {host.address}"
        except DeployError as error:
            # What follows is of servers that should run by now.
            return False, str(error).partition(": is it running?")[0]

    wait_for(f"{what} of {host.name}", look, say, clock, every=EVERY_SECONDS, at_most=SSH_SECONDS)


def _run(host: Host, script: str) -> str:
    """Run a script as root and return what it prints; DeployError if it fails."""
    with connect(host) as remote, remote.process(script) as process:
        done = process.wait()
    if done.code:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise DeployError(
            f"the host key of {host.name} cannot be replaced ({last}): rerun the command"
        )
    return done.stdout


def _public(printed: str, label: str) -> str:
    """Return kind and key out of a .pub file; DeployError if it is none."""
    words = printed.split()
    if len(words) < 2 or words[0] != "ssh-ed25519":
        raise DeployError(f"{label} printed no host key ({printed[:60]!r}): rerun the command")
    return " ".join(words[:2])
