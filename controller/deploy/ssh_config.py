"""What ssh itself makes of an inventory's options and of `~/.ssh/config`, asked with `ssh -G`.

Ansible logs in with ssh, so an alias that works for Ansible works for the fab tasks.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.deploy.errors import DeployError
from controller.deploy.paths import absolute

__all__ = ["SshConfig", "ask_ssh"]

DEFAULT_KEYS = {
    f"id_{kind}" for kind in ("rsa", "dsa", "ecdsa", "ecdsa_sk", "ed25519", "ed25519_sk", "xmss")
}
DEFAULT_KNOWN_HOSTS = {"known_hosts", "known_hosts2"}


@dataclass(frozen=True)
class SshConfig:
    """How ssh would log in.

    `keys`, `known_hosts`: only those that are configured. `proxy`: the command whose input and
    output are the connection, None for a direct one.
    """

    address: str
    port: int
    user: str
    keys: tuple[Path, ...] = ()
    known_hosts: tuple[Path, ...] = ()
    agent: str | None = None
    proxy: str | None = None


def ask_ssh(name: str, address: str, arguments: Sequence[str]) -> SshConfig | None:
    """Return what ssh would do for `ssh <arguments> <address>`; None without ssh on this laptop.

    Raises DeployError: ssh rejects the arguments, or its configuration has an error.
    """
    try:
        done = subprocess.run(  # noqa: S603 (no shell)
            ["ssh", "-G", *arguments, "--", address],  # noqa: S607 (the user's own ssh)
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return None
    if done.returncode:
        words = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise DeployError(
            f"ssh rejects the options of host {name} ({words}): correct ansible_ssh_common_args in "
            "the inventory, or ~/.ssh/config"
        )
    values: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition(" ")
        values.setdefault(key, []).append(value)
    return _read(values, address, arguments)


def _read(values: dict[str, list[str]], alias: str, arguments: Sequence[str]) -> SshConfig:
    """Return the settings out of the lines of `ssh -G`."""

    def one(key: str) -> str | None:
        value = values.get(key, ["none"])[0]
        return None if value.lower() == "none" else value

    address, port, user = one("hostname") or alias, int(one("port") or 22), one("user") or ""
    proxy = one("proxycommand")
    if proxy:
        tokens = {"%h": address, "%p": str(port), "%r": user, "%n": alias, "%%": "%"}
        proxy = "".join(tokens.get(part, part) for part in _tokens(proxy))
    elif jump := one("proxyjump"):
        proxy = _jump(jump, address, port, arguments)
    keys = [_home(path) for path in values.get("identityfile", [])]
    known = [_home(path) for path in (one("userknownhostsfile") or "").split()]
    return SshConfig(
        address,
        port,
        user,
        keys=tuple(key for key in keys if key.name not in DEFAULT_KEYS and key.is_file()),
        known_hosts=tuple(path for path in known if path.name not in DEFAULT_KNOWN_HOSTS),
        agent=one("identityagent"),
        proxy=proxy,
    )


def _home(path: str) -> Path:
    """Return a path of ssh's configuration, whose `~` is a home."""
    try:
        return absolute(path) if path.startswith("~") else Path(path)
    except DeployError as error:
        raise DeployError(f"~/.ssh/config: {error}") from None


def _tokens(text: str) -> list[str]:
    """Return the text in parts, of which each token of ssh (%h) is one."""
    parts, rest = [], text
    while rest:
        size = 2 if rest.startswith("%") else 1
        parts.append(rest[:size])
        rest = rest[size:]
    return parts


def _jump(jump: str, address: str, port: int, arguments: Sequence[str]) -> str:
    """Return the command that ssh itself runs for ProxyJump."""
    *before, last = jump.split(",")
    words = ["ssh"]
    if "-F" in arguments[:-1]:
        words += ["-F", arguments[arguments.index("-F") + 1]]
    if before:
        words += ["-J", ",".join(before)]
    target = f"[{address}]:{port}"
    return shlex.join([*words, "-W", target, last if "://" in last else f"ssh://{last}"])
