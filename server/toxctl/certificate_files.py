"""Certificates as files: what a PEM file says, and whether its private key belongs to it.

Dates and names are read with the program openssl, whose versions 1.0.2 and 3 print them alike.
"""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from toxctl.errors import ToxctlError
from toxctl.tls_config import REPAIR, normal

__all__ = ["Certificate", "check_key", "check_pair", "openssl", "read"]

OPENSSL_SECONDS = 60.0
NAME = re.compile(r"(?:DNS|IP Address):([^,\s]+)")
# The names are on the line below; a certificate without a common name has the word "critical" here.
NAMES = re.compile(r"X509v3 Subject Alternative Name:[^\n]*\n([^\n]*)")


@dataclass(frozen=True)
class Certificate:
    """What a certificate says.

    Attributes:
        names: host names and IP addresses that it is valid for, sorted.
        not_before: start of its life, seconds since 1970.
        not_after: end of its life, seconds since 1970.
    """

    names: tuple[str, ...]
    not_before: float
    not_after: float

    def missing(self, wanted: Iterable[str]) -> list[str]:
        """Return the wanted names that it is not valid for; a wildcard covers one label."""
        return [
            name
            for name in map(normal, wanted)
            if name not in self.names and f"*.{name.partition('.')[2]}" not in self.names
        ]

    def left(self, now: float | None = None) -> float:
        """Return the share of its life that is left: 1 at its start, 0 and less from its end on."""
        now = time.time() if now is None else now
        return (self.not_after - now) / max(self.not_after - self.not_before, 1.0)


def openssl(arguments: Sequence[str], stdin: str | None = None) -> str:
    """Run openssl and return its output; ToxctlError, kind `certificate`, if it fails."""
    try:
        done = subprocess.run(  # noqa: S603 (fixed words and paths, no shell)
            ["openssl", *arguments],  # noqa: S607 (from PATH, as every program of the system)
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=OPENSSL_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise ToxctlError(f"openssl is not installed: {REPAIR}") from None
    except subprocess.TimeoutExpired:
        words = f"openssl {arguments[0]} did not end within {OPENSSL_SECONDS:g} s"
        raise ToxctlError(f"{words}: rerun the command") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ToxctlError(f"openssl {arguments[0]} failed: {lines[0]}", "certificate")
    return done.stdout


def read(path: str) -> Certificate:
    """Return what the first certificate in a PEM file says.

    Raises:
        ToxctlError: kind `certificate`, if the file cannot be read or holds no certificate.
    """
    if not os.path.isfile(path):
        raise ToxctlError(f"{path} is missing", "certificate")
    try:
        found = openssl(["x509", "-in", path, "-noout", "-dates", "-text"])
    except ToxctlError as error:
        if error.kind != "certificate":
            raise
        raise ToxctlError(f"{path} holds no certificate in PEM form", "certificate") from None
    dates = {}
    for key in ("notBefore", "notAfter"):
        match = re.search(rf"^{key}=(.+)$", found, re.MULTILINE)
        if not match:
            raise ToxctlError(f"{path}: openssl prints no {key}", "certificate")
        dates[key] = float(ssl.cert_time_to_seconds(match[1].strip()))
    section = NAMES.search(found)
    names = sorted({normal(name) for name in NAME.findall(section[1] if section else "")})
    return Certificate(tuple(names), dates["notBefore"], dates["notAfter"])


def check_pair(certificate: str, key: str) -> Certificate:
    """Return what a certificate says, once its private key proves to belong to it.

    Args:
        certificate: path of a PEM file, the server's certificate first.
        key: path of a PEM file with a private key that has no passphrase.

    Raises:
        ToxctlError: kind `certificate`, as `check_key`; or the certificate has ended.
    """
    found = read(certificate)
    check_key(certificate, key)
    if found.left() <= 0:
        ended = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(found.not_after))
        raise ToxctlError(f"{certificate} ended at {ended}", "certificate")
    return found


def check_key(certificate: str, key: str) -> None:
    """Raise ToxctlError, kind `certificate`, unless a private key belongs to a certificate.

    The key is missing, is not PEM, needs a passphrase or belongs to another certificate.
    """
    if not os.path.isfile(key):
        raise ToxctlError(f"{key} is missing", "certificate")

    def refuse() -> str:
        raise ToxctlError(f"{key} has a passphrase, which nginx cannot enter", "certificate")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password=refuse)
    except ssl.SSLError as error:
        if "KEY_VALUES_MISMATCH" in str(error):
            message = f"{key} is not the private key of {certificate}"
        else:
            message = f"{certificate} and {key} are not a certificate and its key ({error.reason})"
        raise ToxctlError(message, "certificate") from None
