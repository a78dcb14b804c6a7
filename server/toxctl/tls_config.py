"""Reads /etc/tox_com_det/tls.json, which role tls writes beside server.json. Nothing else does."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, fields

from toxctl import settings_file
from toxctl.errors import ToxctlError

__all__ = ["MODES", "REPAIR", "TlsConfig", "beside", "is_address", "load", "normal"]

FORMAT = 1
MODES = ("selfsigned", "acme", "files")
PORT = "challenge_port"
REPAIR = "run `ansible-playbook site.yml --tags tls`"


@dataclass(frozen=True)
class TlsConfig:
    """Where certificates come from and where they are kept.

    Attributes:
        mode: one of MODES.
        names: host names and IP addresses that a certificate has to be valid for.
        directory: the certificates, each in a directory of its own, and the link `live`.
        group: the group of nginx's workers, which read the private key at every handshake.
        selfsigned_days: life of a self-signed certificate.
        certbot: path of certbot.
        certbot_dir: certbot's own files: accounts, certificates, logs.
        webroot: nginx answers challenges with the files below it.
        challenge_port: where certbot answers them itself, on loopback, because a balancer passes
            them on; None where nginx does.
        acme_directory: address of the ACME server.
        acme_profile: profile to ask for; "" for the server's default.
        acme_ca_file: authorities that the ACME server's own certificate is checked with; "" for
            those that come with certbot.
        accept_terms: whether the terms of the ACME server are accepted.
        email: where the authority writes to; "" for none.
    """

    mode: str
    names: list[str]
    directory: str
    group: str
    selfsigned_days: int
    certbot: str
    certbot_dir: str
    webroot: str
    acme_directory: str
    acme_profile: str
    acme_ca_file: str
    accept_terms: bool
    email: str
    challenge_port: int | None = None

    @property
    def live(self) -> str:
        """The link that nginx reads certificate and key through."""
        return os.path.join(self.directory, "live")


def beside(server_json: str) -> str:
    """Return the path of the tls.json that belongs to a server.json, which need not exist."""
    return settings_file.beside(server_json, "tls.json")


def load(path: str) -> TlsConfig | None:
    """Return the settings of TLS; None if there is no file: the server speaks plain HTTP.

    Raises:
        ToxctlError: kind `config`; it names the keys that are missing or wrong.
    """
    data = settings_file.read(path, FORMAT, REPAIR)
    if data is None or data.get("mode") == "off":
        return None
    # Of before the balancers: no such key.
    names = [field.name for field in fields(TlsConfig) if field.name in data or field.name != PORT]
    wrong = [name for name in names if not _is_valid(name, data.get(name))]
    if wrong:
        raise ToxctlError(f"{path} has no {', '.join(wrong)}, or a wrong one: {REPAIR}", "config")
    return TlsConfig(**{name: data[name] for name in names})


def _is_valid(name: str, value: object) -> bool:
    if name == "mode":
        return value in MODES
    if name == "names":
        return isinstance(value, list) and all(isinstance(one, str) and one for one in value)
    if name == "selfsigned_days":
        return isinstance(value, int) and not isinstance(value, bool) and value > 0
    if name == PORT:
        return value is None or (isinstance(value, int) and 0 < value < 65536)
    return isinstance(value, bool if name == "accept_terms" else str)


def is_address(name: str) -> bool:
    """Return whether a name is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def normal(name: str) -> str:
    """Return a name in the form in which two of them can be compared."""
    return str(ipaddress.ip_address(name)) if is_address(name) else name.lower().rstrip(".")
