"""Key files that only ssh-agent can use, and which of its keys is that of a file."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import paramiko

from controller.deploy.inventory import Host

__all__ = ["agent_keys", "agent_of", "agent_only", "default_keys", "in_agent"]

SOCKET = "SSH_AUTH_SOCK"
TOKEN_TYPES = (b"sk-ssh-ed25519@openssh.com", b"sk-ecdsa-sha2-nistp256@openssh.com")
MAGIC = b"openssh-key-v1\0"
DEFAULT = ("rsa", "ecdsa", "ecdsa_sk", "ed25519", "ed25519_sk")


def default_keys() -> list[Path]:
    """Return the user's keys with ssh's default names."""
    paths = [Path("~/.ssh").expanduser() / f"id_{kind}" for kind in DEFAULT]
    return [path for path in paths if path.is_file()]


def agent_only(path: Path) -> str | None:
    """Return why this key needs ssh-agent, None if it does not (or is no key at all)."""
    try:
        if not path.name.endswith("-cert.pub") and _of_public_file(path):
            return "is the public half of one"
        if _is_of_a_token(path):
            return "is that of a hardware token"
        paramiko.PKey.from_path(path)
    except TypeError:  # a passphrase is needed
        return "has a passphrase"
    except Exception:  # reported where the key is loaded
        return None
    return None


def _is_of_a_token(path: Path) -> bool:
    return any(kind in _container(path) for kind in TOKEN_TYPES)


def _container(path: Path) -> bytes:
    """Return what is inside a private key file of OpenSSH's form, b"" for another one."""
    lines = path.read_bytes().strip().splitlines()
    if not lines or b"OPENSSH PRIVATE KEY" not in lines[0]:
        return b""
    return base64.b64decode(b"".join(lines[1:-1]))


def _of_public_file(path: Path) -> bytes | None:
    """Return the key of a .pub file, None if it is none."""
    words = path.read_bytes().split(maxsplit=2)
    if len(words) < 2:
        return None
    try:
        key = base64.b64decode(words[1], validate=True)
    except ValueError:
        return None
    return key if key.startswith(len(words[0]).to_bytes(4, "big") + words[0]) else None


def public_half(path: Path) -> bytes | None:
    """Return the public half of a key, which needs no passphrase; None if there is none."""
    with suppress(OSError, ValueError):
        if key := _of_public_file(path):
            return key
        container = _container(path)
        if container.startswith(MAGIC):
            message = paramiko.Message(container[len(MAGIC) :])
            for _ in ("cipher", "kdf", "options of the kdf"):
                message.get_string()
            message.get_int()  # how many keys: 1
            return bytes(message.get_string())
    with suppress(OSError):
        return _of_public_file(path.with_name(f"{path.name}.pub"))
    return None


@contextmanager
def agent_of(host: Host) -> Iterator[None]:
    """Let paramiko find the agent of this host (IdentityAgent), and of no other one after it."""
    before = os.environ.get(SOCKET)
    if host.agent == "":  # IdentityAgent none
        os.environ.pop(SOCKET, None)
    elif host.agent and host.agent != SOCKET:
        os.environ[SOCKET] = os.path.expandvars(os.path.expanduser(host.agent))
    try:
        yield
    finally:
        os.environ.pop(SOCKET, None)
        if before is not None:
            os.environ[SOCKET] = before


@contextmanager
def agent_keys() -> Iterator[Sequence[paramiko.AgentKey]]:
    """Yield the keys of ssh-agent, which can be used as long as the body runs."""
    try:
        agent = paramiko.Agent()
    except paramiko.SSHException:  # no agent; reported where paramiko itself asks it
        yield ()
        return
    try:
        yield agent.get_keys()
    finally:
        agent.close()


def in_agent(path: Path, keys: Sequence[paramiko.AgentKey]) -> paramiko.AgentKey | None:
    """Return the agent's key of this file, None if it has none."""
    public = public_half(path)
    return next((key for key in keys if key.blob == public), None)
