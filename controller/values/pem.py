"""Certificates and keys in PEM form, read as OpenSSL and OpenSSH read them."""

from __future__ import annotations

import binascii
import re
import ssl
from base64 import b64decode
from collections.abc import Callable, Sequence
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)
from cryptography.x509 import load_pem_x509_certificate

from controller.values.format import Format

__all__ = ["AUTHORITIES", "CERTIFICATE_AND_KEY", "PRIVATE_KEY"]

_BLOCK = re.compile(r"^-----BEGIN ([A-Z0-9 ]+)-----\s*\n(.*?)^-----END \1-----", re.M | re.S)
# Of a key that is encrypted as OpenSSL did it before version 1.
_HEADER = re.compile(r"^[A-Za-z-]+: [^\n]*\n", re.M)


def _blocks(text: str) -> list[tuple[str, str]]:
    """The kind and the whole text of each block; none at all if one of them is not complete."""
    found = list(_BLOCK.finditer(text.strip()))
    if len(found) != text.count("-----BEGIN "):
        return []
    try:
        for one in found:
            b64decode("".join(_HEADER.sub("", one[2]).split()), validate=True)
    except (binascii.Error, ValueError):
        return []
    return [(one[1], one[0] + "\n") for one in found]


def _certificates(blocks: Sequence[tuple[str, str]]) -> list[str]:
    """The certificates among the blocks; none at all if OpenSSL cannot read one of them."""
    found = [text for kind, text in blocks if kind == "CERTIFICATE"]
    try:
        for one in found:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=one)
    except (ssl.SSLError, ValueError):
        return []
    return found


def _key(text: str, load: Callable[..., Any]) -> tuple[bool, Any]:
    """Whether a private key can be used without a passphrase, and its public key, if known."""
    try:
        return True, load(text.encode(), None).public_key()
    except UnsupportedAlgorithm:  # of a program that knows more
        return True, None
    except (TypeError, ValueError):
        return False, None


def _is_certificate_and_key(text: str) -> bool:
    blocks = _blocks(text)
    certificates = _certificates(blocks)
    keys = [one for kind, one in blocks if kind.endswith("PRIVATE KEY")]
    if not certificates or len(keys) != 1:
        return False
    is_usable, public = _key(keys[0], load_pem_private_key)
    return is_usable and (public is None or _belongs(certificates[0], public))


def _belongs(certificate: str, public: Any) -> bool:
    try:
        other = load_pem_x509_certificate(certificate.encode()).public_key()
    except (UnsupportedAlgorithm, ValueError):
        return True
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return bool(other.public_bytes(*form) == public.public_bytes(*form))


def _is_private_key(text: str) -> bool:
    keys = [block for block in _blocks(text) if block[0].endswith("PRIVATE KEY")]
    if len(keys) != 1:  # beside it, openssl writes the parameters of a curve
        return False
    kind, one = keys[0]
    is_openssh = kind == "OPENSSH PRIVATE KEY"
    return _key(one, load_ssh_private_key if is_openssh else load_pem_private_key)[0]


AUTHORITIES = Format(
    "certificates in PEM form, each with its lines -----BEGIN CERTIFICATE----- and "
    "-----END CERTIFICATE-----",
    lambda text: bool(_certificates(_blocks(text))),
)
CERTIFICATE_AND_KEY = Format(
    "a certificate in PEM form and below it its private key without a passphrase, each with its "
    "lines -----BEGIN ...----- and -----END ...-----",
    _is_certificate_and_key,
)
PRIVATE_KEY = Format(
    "a private key in PEM form without a passphrase, with its lines -----BEGIN ...----- and "
    "-----END ...-----",
    _is_private_key,
)
