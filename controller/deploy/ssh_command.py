"""The ssh command that logs in as fab does, for messages."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from controller.deploy.inventory import Host
from controller.deploy.ssh_options import ssh_options, ssh_value, without_option

__all__ = ["accepting_command", "ssh_command"]


def ssh_command(host: Host, options: Sequence[str] = ()) -> str:
    """Return the command, with the inventory's options and these, to be typed in any directory.

    `options`: words before the inventory's, of which ssh uses the first of two.
    """
    words = ["ssh", *options]
    if host.port != 22:
        words += ["-p", str(host.port)]
    if host.key_file:
        words += ["-i", str(host.key_file)]
    if host.known_hosts:
        files = " ".join(ssh_value(path) for path in host.known_hosts)
        words += ["-o", f"UserKnownHostsFile={files}"]
    words += without_option(host.ssh_words, "userknownhostsfile")
    return shlex.join([*words, f"{host.user}@{host.alias or host.address}"])


def accepting_command(host: Host, algorithm: str | None = None) -> str:
    """Return the command that shows the host key, asks about it, and writes it where fab looks.

    `algorithm`: of the key, where ssh would accept a certificate instead and write nothing.
    """
    given = ssh_options(shlex.join(host.ssh_words))
    asking = {"StrictHostKeyChecking": "ask", "BatchMode": "no"}
    options = [f"{key}={value}" for key, value in asking.items() if key.lower() in given]
    if algorithm:
        options.append(f"HostKeyAlgorithms={algorithm}")
    return ssh_command(host, [word for option in options for word in ("-o", option)])
