"""What ssh itself makes of an inventory's options and of `~/.ssh/config`, asked with `ssh -G`.

Ansible logs in with ssh, so an alias that works for Ansible works for the fab tasks.
"""

from __future__ import annotations

import getpass
import os
import pwd
import re
import shlex
import socket
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.deploy.errors import DeployError
from controller.deploy.paths import absolute

__all__ = ["SshConfig", "ask_ssh"]

DEFAULT_KEYS = {
    f"id_{kind}" for kind in ("rsa", "dsa", "ecdsa", "ecdsa_sk", "ed25519", "ed25519_sk", "xmss")
}
# ssh names at least these where no key is configured.
ALWAYS_DEFAULT = {"id_rsa", "id_ed25519"}
DEFAULT_KNOWN_HOSTS = {"known_hosts", "known_hosts2"}


@dataclass(frozen=True)
class SshConfig:
    """How ssh would log in.

    `keys`, `known_hosts`: only those that are configured. `proxy`: the command whose input and
    output are the connection, None for a direct one. `host_key_alias`: the server's name in
    known_hosts, "" for its address.
    """

    address: str
    port: int
    user: str
    keys: tuple[Path, ...] = ()
    known_hosts: tuple[Path, ...] = ()
    agent: str | None = None
    proxy: str | None = None
    host_key_alias: str = ""


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
    key_alias = one("hostkeyalias") or ""
    tokens = {"%h": address, "%p": str(port), "%r": user, "%n": alias, "%%": "%"}
    proxy = one("proxycommand")
    if proxy:
        proxy = _filled(proxy, tokens)
    elif jump := one("proxyjump"):
        proxy = _jump(jump, address, port, arguments)
    # ssh prints these as they are written, and the others filled in.
    files = {**tokens, **_of_laptop(), "%k": key_alias or alias}
    keys = [_home(_filled(_environment(path), files)) for path in values.get("identityfile", [])]
    if {key.name for key in keys if key in _in_homes(ALWAYS_DEFAULT)} == ALWAYS_DEFAULT:
        keys = [key for key in keys if key not in _in_homes(DEFAULT_KEYS)]
    known = _split(one("userknownhostsfile") or "")
    if _in_homes(DEFAULT_KNOWN_HOSTS).issuperset(known):
        known = []
    agent = values.get("identityagent", [""])[0]
    return SshConfig(
        address,
        port,
        user,
        keys=tuple(key for key in keys if key.is_file()),
        known_hosts=tuple(known),
        agent="" if agent.lower() == "none" else agent or None,
        proxy=proxy,
        host_key_alias=key_alias,
    )


def _of_laptop() -> dict[str, str]:
    """Return ssh's tokens of this machine and its user."""
    name = socket.gethostname()
    return {
        "%d": str(Path("~").expanduser()),
        "%i": str(os.getuid()),
        "%l": name,
        "%L": name.split(".")[0],
        "%u": getpass.getuser(),
    }


def _in_homes(names: Collection[str]) -> set[Path]:
    """Return the files of these names in the user's ~/.ssh, for ssh and where $HOME is."""
    homes = (Path("~").expanduser(), Path(pwd.getpwuid(os.getuid()).pw_dir))
    return {home / ".ssh" / name for home in homes for name in names}


def _split(names: str) -> list[Path]:
    """Return the paths that ssh prints in one line, without the quotes around one with blanks."""
    words, found = names.split(), []
    while words:
        sizes = range(len(words), 0, -1)
        paths = [(size, _home(" ".join(words[:size]))) for size in sizes]
        size, path = next((pair for pair in paths if pair[1].is_file()), paths[-1])
        found.append(path)
        words = words[size:]
    return found


def _home(path: str) -> Path:
    """Return a path of ssh's configuration, whose `~` is a home."""
    try:
        return absolute(path) if path.startswith("~") else Path(path)
    except DeployError as error:
        raise DeployError(f"~/.ssh/config: {error}") from None


def _environment(text: str) -> str:
    """Return the text with the variables (`${NAME}`) of the environment in it."""
    return re.sub(r"\$\{(\w+)\}", lambda match: os.environ.get(match[1], match[0]), text)


def _filled(text: str, tokens: Mapping[str, str]) -> str:
    """Return the text with ssh's tokens (%h) filled in, as far as they are known."""
    return re.sub("%.", lambda match: tokens.get(match[0], match[0]), text)


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
