"""The first session with a new server: authenticated, and it replaces the host key.

The key that cloud-init was given is known to whoever can read the server's user data, which is
every program on it. So the server makes another one, its public part comes back through the
authenticated session, and only that one stays in known_hosts. Cut off anywhere, the next run goes
on: both keys are accepted until the new one has answered. paramiko compares a server with the first
key of a type alone, so each key is tried by itself.
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
# The server has none of this project's programs yet. FIRST stands for the key that cloud-init was
# given: where another one is in its place, a run that was cut off has put it there.
MAKE = (
    "set -eu; umask 077; cd /etc/ssh; here=ssh_host_ed25519_key; next=$here.next; "
    'if ! [ -s "$next.pub" ]; then '
    'if [ -s "$here.pub" ] && ! grep -qF -e FIRST "$here.pub"; then next=$here; '
    'else rm -f "$next"; ssh-keygen -q -t ed25519 -N "" -C "" -f "$next"; fi; '
    'fi; cat "$next.pub"'
)
# sshd reads its host keys anew when it is reloaded; this session goes on.
USE = (
    "set -eu; cd /etc/ssh; here=ssh_host_ed25519_key; next=$here.next; "
    'if [ -e "$next" ]; then mv -f "$next" "$here"; fi; '
    'if [ -e "$next.pub" ]; then mv -f "$next.pub" "$here.pub"; fi; chmod 644 "$here.pub"; '
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
    answered = _wait_for_ssh(host, pattern, pinned, "SSH", say, clock)
    if all(one.origin != FIRST for one in pinned):
        return
    if answered.origin == FIRST:
        answered = _replaced(host, pattern, known, answered, say, clock)
    known.pin(label, pattern, [answered])


def _replaced(
    host: Host,
    pattern: str,
    known: KnownHosts,
    first: Pinned,
    say: Callable[[str], None],
    clock: Clock,
) -> Pinned:
    """Replace the host key that answers, and return the new one when it has answered."""
    say("replacing the host key that cloud-init was given with one made on the server")
    with _only(host, pattern, first) as alone:
        handed = shlex.quote(first.public.split()[1])
        own = Pinned(_public(_run(alone, MAKE.replace("FIRST", handed)), host.name), OWN)
        others = [one for one in known.keys(host.name) if one.public != own.public]
        known.pin(host.name, pattern, [*others, own])
        _run(alone, USE)
    return _wait_for_ssh(host, pattern, [own], "the new host key", say, clock)


@contextmanager
def _only(host: Host, pattern: str, key: Pinned) -> Iterator[Host]:
    """Give a host of which no other key is accepted."""
    with tempfile.TemporaryDirectory() as directory:
        only = KnownHosts(Path(directory) / "known_hosts")
        only.pin(host.name, pattern, [key])
        yield replace(host, known_hosts=(only.path,))


def _wait_for_ssh(
    host: Host,
    pattern: str,
    keys: Sequence[Pinned],
    what: str,
    say: Callable[[str], None],
    clock: Clock,
) -> Pinned:
    """Wait until SSH answers with one of the keys, and return that."""
    answered: list[Pinned] = []

    def look() -> tuple[bool, str]:
        why = ""
        for key in keys:
            with _only(host, pattern, key) as alone:
                try:
                    with connect(alone):
                        answered.append(key)
                        return True, f"{host.name} answers at {host.address}"
                except DeployError as error:
                    # What follows is of servers that should run by now.
                    why = str(error).partition(": is it running?")[0]
                    # The line names the file that the operator has.
                    why = why.replace(str(alone.known_hosts[0]), str(host.known_hosts[0]))
        return False, why

    wait_for(f"{what} of {host.name}", look, say, clock, every=EVERY_SECONDS, at_most=SSH_SECONDS)
    return answered[0]


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
