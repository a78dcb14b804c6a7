"""The keys of a new server: the operator's to log in with, and the host key it answers with.

The host key is made here and handed over in cloud-init's user data, so the first connection is
authenticated. Its private part is in this process' memory and in one request, never in a file. The
server's programs can read the user data as long as the server exists, so the key is replaced in the
first session (`first_contact`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from controller.deploy.errors import DeployError

__all__ = ["HostKey", "new_host_key", "public_key", "user_data"]

# What Linode accepts; not those of hardware tokens (sk-...).
KINDS = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384")
MOST_BYTES = 16 * 1024  # of user data, which Linode decodes


@dataclass(frozen=True)
class HostKey:
    """A host key. `private`: in OpenSSH's form; `public`: kind and key, as in known_hosts."""

    private: str = field(repr=False)
    public: str


def new_host_key() -> HostKey:
    """Make an Ed25519 host key."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return HostKey(private.decode(), public.decode())


def public_key(path: Path) -> str:
    """Return the public key in a file, as authorized_keys has it.

    Raises DeployError: the file cannot be read, or holds something else, such as a private key.
    """
    instead = "name the .pub file of your key with --key"
    try:
        lines = path.read_text(encoding="utf-8").strip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise DeployError(
            f"your public key {path} cannot be read ({reason}): {instead}, or make one with "
            "`ssh-keygen -t ed25519`"
        ) from None
    if any("PRIVATE KEY" in line for line in lines):
        raise DeployError(f"{path} is a private key, which stays on your laptop: {instead}")
    words = lines[0].split() if len(lines) == 1 else []
    if words and words[0].startswith("sk-"):
        raise DeployError(f"{path} is that of a hardware token, which Linode refuses: {instead}")
    if len(words) < 2 or words[0] not in KINDS:
        raise DeployError(f"{path} is no public SSH key ({', '.join(KINDS)}): {instead}")
    return " ".join(words)


def user_data(key: HostKey, own: Path | None = None) -> str:
    """Return cloud-init's user data: the host key, no passwords, and the operator's own part.

    Args:
        key: of the server's first answer.
        own: a file that begins with #cloud-config or #!; what it says of SSH does not count.

    Raises DeployError: the file cannot be read, is neither, or is too large.
    """
    settings = {
        "disable_root": False,  # playbooks/bootstrap.yml logs in as root, and then disables it
        "ssh_pwauth": False,
        "ssh_deletekeys": True,
        "ssh_keys": {"ed25519_private": key.private, "ed25519_public": key.public},
    }
    # JSON is YAML in which nothing needs quoting.
    ours = f"#cloud-config\n{json.dumps(settings, indent=1)}\n"
    text = ours if own is None else _with(ours, own)
    if len(text.encode()) > MOST_BYTES:
        raise DeployError(
            f"{own} is too large: Linode takes {MOST_BYTES} bytes of user data, ours included: "
            "have it load the rest"
        )
    return text


def _with(ours: str, own: Path) -> str:
    """Return both parts as MIME; of two values cloud-init keeps the first, which is ours."""
    try:
        text = own.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise DeployError(f"--user-data {own} cannot be read ({reason})") from None
    kinds = {"#cloud-config": "cloud-config", "#!": "x-shellscript"}
    kind = next((kind for start, kind in kinds.items() if text.startswith(start)), None)
    if kind is None:
        raise DeployError(f"--user-data {own} begins neither with #cloud-config nor with #!")
    message = EmailMessage()
    message.make_mixed()
    for part, subtype in ((ours, "cloud-config"), (text, kind)):
        below = EmailMessage()
        below.set_content(part, subtype=subtype, cte="base64")
        message.attach(below)
    return message.as_string()
