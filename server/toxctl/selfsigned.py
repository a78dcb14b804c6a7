"""Makes a self-signed certificate with the program openssl, 1.0.2 and newer."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence

from toxctl.certificate_files import openssl
from toxctl.tls_config import is_address

__all__ = ["create"]

# A configuration file instead of -addext, which OpenSSL 1.0.2 of CentOS 7 does not know.
REQUEST = """\
[req]
distinguished_name = subject
x509_extensions = extensions
prompt = no
[subject]
CN = {common_name}
[extensions]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
subjectAltName = @names
[names]
{names}
"""
LONGEST_COMMON_NAME = 64  # of X.509


def create(names: Sequence[str], days: int) -> tuple[str, str]:
    """Return a new certificate and its private key (P-256), both as PEM text.

    Args:
        names: host names and IP addresses that it is valid for; at least one.
        days: how long it is valid.

    Raises:
        ToxctlError: kind `certificate`, openssl failed.
    """
    listed = [
        f"{'IP' if is_address(name) else 'DNS'}.{number} = {name}"
        for number, name in enumerate(names)
    ]
    common = names[0] if len(names[0]) <= LONGEST_COMMON_NAME else "tox_com_det"
    with tempfile.TemporaryDirectory(prefix="tox_com_det-") as directory:
        request = os.path.join(directory, "request.cnf")
        key = os.path.join(directory, "key.pem")
        with open(request, "w", encoding="utf-8") as file:
            file.write(REQUEST.format(common_name=common, names="\n".join(listed)))
        openssl(["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key])
        words = ["req", "-new", "-x509", "-sha256", "-config", request, "-key", key]
        certificate = openssl([*words, "-days", str(days)])
        with open(key, encoding="utf-8") as file:
            return certificate, file.read()
