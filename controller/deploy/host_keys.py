"""The host keys that known_hosts files have of a server, read as ssh reads them.

paramiko's own reader ends at a line with a marker (@cert-authority, @revoked) and at a byte that is
not UTF-8, knows no patterns, and takes one key of a type.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import paramiko
from paramiko.ssh_exception import SSHException

from controller.deploy.errors import DeployError
from controller.deploy.inventory import Host

__all__ = ["ChangedHostKey", "HostKeys", "Line", "RevokedHostKey", "UnknownHost", "host_keys"]

REVOKED, AUTHORITY = "@revoked", "@cert-authority"
# Where ssh looks if no file is configured.
OWN = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
# Beside those and beside configured ones.
SYSTEM = (Path("/etc/ssh/ssh_known_hosts"), Path("/etc/ssh/ssh_known_hosts2"))


@dataclass(frozen=True)
class Line:
    """A line of a known_hosts file. `marker`: "" for an ordinary key."""

    path: Path
    number: int
    marker: str
    hosts: str
    kind: str
    key: bytes

    @property
    def has_pattern(self) -> bool:
        """Whether it is for more hosts than it names, so that `ssh-keygen -R` leaves it."""
        return any(sign in self.hosts for sign in "*?")


class UnknownHost(SSHException):  # type: ignore[misc]  # paramiko has no type information
    """The server's host key is in no known_hosts file.

    `kind`: of the key. `by_authority`: ssh may accept a certificate of the server.
    """

    def __init__(self, key: paramiko.PKey, by_authority: bool) -> None:
        super().__init__(f"{key.get_name()} {key.fingerprint}")
        self.kind, self.by_authority = key.get_name(), by_authority


class ChangedHostKey(SSHException):  # type: ignore[misc]  # as above
    """A known_hosts file has other keys of the server. `name`: as which; `line`: the first one."""

    def __init__(self, name: str, line: Line) -> None:
        super().__init__(f"another key than in {line.path}")
        self.name, self.line = name, line


class RevokedHostKey(SSHException):  # type: ignore[misc]  # as above
    """A known_hosts file refuses the server's host key. `line`: the one that does."""

    def __init__(self, line: Line) -> None:
        super().__init__(f"revoked in {line.path}")
        self.line = line


class HostKeys(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]  # as above
    """What the lines say about one server; paramiko's client, which knows no key, asks it.

    `accepted`: it has asked, and the server's key is known.
    """

    accepted = False

    def __init__(self, lines: Iterable[Line], address: str, port: int, alias: str = "") -> None:
        """`alias`: HostKeyAlias of ssh's configuration."""
        self.name = (alias or (address if port == 22 else f"[{address}]:{port}")).lower()
        # ssh looks for the address alone as well.
        other = self.name if alias else address.lower()
        lines = list(lines)
        self.lines = [line for line in lines if is_for(line.hosts, self.name)]
        self.of_address = [line for line in lines if is_for(line.hosts, other)]

    @property
    def known(self) -> list[Line]:
        """The ordinary lines with the server's name; if there is none, with its address."""
        found = [line for line in self.lines if not line.marker]
        return found or [line for line in self.of_address if not line.marker]

    def missing_host_key(self, _client: object, _name: str, key: paramiko.PKey) -> None:
        """Return if the key is the server's.

        Raises RevokedHostKey, ChangedHostKey, UnknownHost.
        """
        blob = key.asbytes()
        marked = [line for line in (*self.lines, *self.of_address) if line.marker]
        for line in marked:
            if line.marker == REVOKED and line.key == blob:
                raise RevokedHostKey(line)
        if blob in [line.key for line in self.known]:
            self.accepted = True
            return
        named = [line for line in self.lines if not line.marker]
        if named:
            raise ChangedHostKey(self.name, named[0])
        raise UnknownHost(key, any(line.marker == AUTHORITY for line in marked))

    def transport(self, *arguments: object, **keywords: object) -> paramiko.Transport:
        """Return paramiko's transport, which asks the server for a key of a known type first."""
        made = paramiko.Transport(*arguments, **keywords)
        kinds = {line.kind for line in self.known}
        options = made.get_security_options()
        options.key_types = sorted(options.key_types, key=lambda kind: plain(kind) not in kinds)
        return made


def plain(kind: str) -> str:
    """Return the type of a key that signs this way."""
    return "ssh-rsa" if kind.startswith("rsa-sha2-") else kind


def host_keys(host: Host) -> HostKeys:
    """Return what the files of the inventory, or else the user's, and the system's say.

    Raises DeployError: one of them cannot be read.
    """
    files = [*(host.known_hosts or [Path(name).expanduser() for name in OWN]), *SYSTEM]
    return HostKeys(read(files), host.address, host.port, host.host_key_alias)


def read(files: Sequence[Path]) -> Iterator[Line]:
    """Yield the lines of the files that exist; DeployError if one cannot be read."""
    for path in files:
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            continue
        except OSError as error:
            if path in SYSTEM:  # not the user's to mend; ssh goes on without it as well
                continue
            raise DeployError(
                f"{path}, which has the host keys, cannot be read ({error.strerror}): make it "
                f"readable, for example with `chmod u+r {path}`"
            ) from None
        for number, line in enumerate(data.split(b"\n"), 1):
            if found := parsed(path, number, line):
                yield found


def parsed(path: Path, number: int, line: bytes) -> Line | None:
    """Return what a line says, None for a comment or one that ssh would skip too."""
    words = line.split()
    marker = words.pop(0).decode("ascii", "replace") if line.lstrip().startswith(b"@") else ""
    if marker not in ("", REVOKED, AUTHORITY) or len(words) < 3 or words[0].startswith(b"#"):
        return None
    try:
        key = base64.b64decode(words[2], validate=True)
    except ValueError:
        return None
    end = 4 + int.from_bytes(key[:4], "big")
    if not 4 < end < len(key):  # a key begins with its type
        return None
    hosts, kind = (word.decode("utf-8", "replace") for word in (words[0], key[4:end]))
    return Line(path, number, marker, hosts, kind, key)


def is_for(hosts: str, name: str) -> bool:
    """Return whether a line's first word, patterns or a hash, is for this name (lower case)."""
    if hosts.startswith("|"):
        return is_hash_of(hosts, name)
    found = False
    for pattern in hosts.lower().split(","):
        if matches(pattern.removeprefix("!"), name):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def matches(pattern: str, name: str) -> bool:
    """Return whether a pattern of ssh (with * and ?) is for this name."""
    signs = {"*": ".*", "?": "."}
    regex = "".join(signs.get(sign, re.escape(sign)) for sign in pattern)
    return re.fullmatch(regex, name, re.DOTALL) is not None


def is_hash_of(word: str, name: str) -> bool:
    """Return whether `|1|salt|hash` is of this name."""
    try:
        _, kind, salt, digest = word.split("|")
        found = hmac.digest(base64.b64decode(salt), name.encode(), "sha1")
        return kind == "1" and hmac.compare_digest(found, base64.b64decode(digest))
    except ValueError:
        return False
