"""The certificates on the server, each in a directory of its own, and the link to the live one.

nginx reads certificate and key through the link at every handshake, so the next connection after a
switch has the new one. No process is reloaded, and no open connection is closed.
"""

from __future__ import annotations

import contextlib
import grp
import hashlib
import os
import shutil
import ssl
import stat
import tempfile
from collections.abc import Iterator

from toxctl import certificate_files, files
from toxctl.certificate_files import Certificate
from toxctl.errors import ToxctlError
from toxctl.locks import try_lock
from toxctl.tls_config import REPAIR, TlsConfig

__all__ = ["CHAIN", "KEY", "Live", "live", "locked", "place"]

CHAIN, KEY, NOTE = "fullchain.pem", "privkey.pem", "source.json"
BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
KEPT = 2  # the live one and the one before it


class Live:
    """The certificate that nginx serves.

    Attributes:
        path: its directory.
        source: `acme`, `files`, `selfsigned` or `placeholder`.
        certificate: what it says.
    """

    def __init__(self, path: str) -> None:
        """Read the directory; ToxctlError, kind `certificate`, if it is damaged."""
        self.path = path
        self.certificate: Certificate = certificate_files.read(os.path.join(path, CHAIN))
        note = files.read_json(os.path.join(path, NOTE))
        self.source = str(note.get("source")) if isinstance(note, dict) else "unknown"

    @property
    def sha256(self) -> str:
        """The SHA-256 of the server's certificate in hex, as clients compute it."""
        with open(os.path.join(self.path, CHAIN), encoding="utf-8") as file:
            first = file.read().partition(END)
        return hashlib.sha256(
            ssl.PEM_cert_to_DER_cert(first[0][first[0].index(BEGIN) :] + END)
        ).hexdigest()

    @property
    def name(self) -> str:
        """Its name: 12 hex digits over certificate and key."""
        return os.path.basename(self.path)


def live(config: TlsConfig) -> Live | None:
    """Return what nginx serves; None if there is nothing, or nothing that nginx can serve."""
    target = files.link_target(config.live)
    if target is None:
        return None
    path = os.path.join(config.directory, target)
    try:
        _require_readable(config, path)
        certificate_files.check_key(os.path.join(path, CHAIN), os.path.join(path, KEY))
        return Live(path)
    except (ToxctlError, OSError):
        return None


def _require_readable(config: TlsConfig, path: str) -> None:
    """Raise ToxctlError unless nginx's workers, which are in the group, can read a certificate."""
    gid = _group(config)
    for one in (config.directory, path, os.path.join(path, CHAIN), os.path.join(path, KEY)):
        found = os.stat(one)
        needed = 0o1 if stat.S_ISDIR(found.st_mode) else 0o4
        allowed = found.st_mode >> (3 if found.st_gid == gid else 0)
        if allowed & needed != needed:
            raise ToxctlError(f"{one} cannot be read by the group {config.group}", "certificate")


@contextlib.contextmanager
def locked(config: TlsConfig) -> Iterator[None]:
    """Hold the lock of the certificates; ToxctlError, kind `locked`, if another one holds it."""
    try:
        descriptor = os.open(config.directory, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ToxctlError(f"{config.directory}: {error.strerror}: {REPAIR}") from None
    try:
        if not try_lock(descriptor):
            message = "another command is working on the certificate: wait, then rerun this one"
            raise ToxctlError(message, "locked")
        yield
    finally:
        os.close(descriptor)


def place(config: TlsConfig, certificate: str, key: str, source: str) -> tuple[Live, bool]:
    """Make a certificate the live one, in one step; return it, and whether it was not before.

    Args:
        certificate: PEM text, the server's certificate first, then those between it and a root.
        key: PEM text of its private key.
        source: where it comes from.

    Raises:
        ToxctlError: kind `certificate`; what was live stays live.
    """
    name = hashlib.sha256(f"{certificate}\0{key}".encode()).hexdigest()[:12]
    path = os.path.join(config.directory, name)
    current = live(config)
    if current is not None and current.name == name:
        if current.source == source:
            return current, False
        _write_note(path, source)
        return Live(path), True
    new = tempfile.mkdtemp(dir=config.directory, prefix=".new-")
    try:
        gid = _group(config)
        for file, text, mode in ((CHAIN, certificate, 0o644), (KEY, key, 0o640)):
            files.write_file(os.path.join(new, file), text, mode, gid)
        certificate_files.check_pair(os.path.join(new, CHAIN), os.path.join(new, KEY))
        _write_note(new, source)
        os.chown(new, -1, gid)
        os.chmod(new, 0o750)  # noqa: S103 (nginx's workers read it)
        shutil.rmtree(path, ignore_errors=True)  # not live, or damaged
        os.rename(new, path)
    except BaseException as error:
        shutil.rmtree(new, ignore_errors=True)  # the error to report is the first one
        if isinstance(error, ToxctlError):
            plain = str(error).replace(f"{new}/", "")
            raise ToxctlError(plain, error.kind, error.details) from None
        raise
    files.sync_directory(path)
    files.point_link(config.live, name)
    _prune(config, name)
    return Live(path), True


def _write_note(path: str, source: str) -> None:
    files.write_json(os.path.join(path, NOTE), {"source": source, "placed": files.clock()})


def _group(config: TlsConfig) -> int:
    try:
        return grp.getgrnam(config.group).gr_gid
    except KeyError:
        message = f"there is no group {config.group}: run `ansible-playbook site.yml --tags nginx`"
        raise ToxctlError(message) from None


def _prune(config: TlsConfig, name: str) -> None:
    """Remove all but the newest certificates. A handshake may still read the one before."""
    found = [one for one in files.directories(config.directory) if os.path.basename(one) != name]
    found.sort(key=lambda one: os.stat(one).st_mtime_ns, reverse=True)
    for path in found[KEPT - 1 :]:
        shutil.rmtree(path, ignore_errors=True)  # only disk space is lost
