"""Private key files that only ssh-agent can use."""

from __future__ import annotations

import base64
from pathlib import Path

import paramiko

__all__ = ["agent_only"]

TOKEN_TYPES = (b"sk-ssh-ed25519@openssh.com", b"sk-ecdsa-sha2-nistp256@openssh.com")


def agent_only(path: Path) -> str | None:
    """Return why this key needs ssh-agent, None if it does not (or is no key at all)."""
    try:
        if _is_of_a_token(path):
            return "is that of a hardware token"
        paramiko.PKey.from_path(path)
    except TypeError:  # a passphrase is needed
        return "has a passphrase"
    except Exception:  # reported where the key is loaded
        return None
    return None


def _is_of_a_token(path: Path) -> bool:
    lines = path.read_bytes().strip().splitlines()
    if not lines or b"OPENSSH PRIVATE KEY" not in lines[0]:
        return False
    blob = base64.b64decode(b"".join(lines[1:-1]))
    return any(kind in blob for kind in TOKEN_TYPES)
