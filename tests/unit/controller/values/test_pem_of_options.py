"""Certificates and keys are read before they are on a server."""

from __future__ import annotations

import datetime
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from controller.values.problems import problems_of

AUTHORITIES = ["flask_app_mongodb_ca", "mongodb_tls_ca"]
KEY_FORMS = [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL, PrivateFormat.OpenSSH]


@cache
def made(number: int = 0) -> tuple[str, dict[PrivateFormat, str], dict[PrivateFormat, str]]:
    """A certificate, its key in several forms, and with a passphrase."""
    key = generate(SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, str(number))])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), number + 1)
    builder = builder.not_valid_before(start).not_valid_after(start.replace(year=2036))
    certificate = builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()

    def keys(locked: bool) -> dict[PrivateFormat, str]:
        secret = BestAvailableEncryption(b"secret") if locked else NoEncryption()
        forms = KEY_FORMS[:2] if locked else KEY_FORMS
        return {one: key.private_bytes(Encoding.PEM, one, secret).decode() for one in forms}

    return certificate, keys(False), keys(True)


def broken(text: str) -> list[str]:
    """What becomes of a PEM block in an inventory by mistake."""
    first, *body, last = text.strip().split("\n")
    return [
        " ".join([first, *body, last]),  # folded by YAML: > in place of |
        "\n".join([first, *body]),
        "\n".join([first, *body[:-1], "*" + body[-1], last]),
        "\n".join([first, body[0][:-3], last]),
        "\n".join([first, last]),
        f"{text}\n{first}\n",
        "~/files/server.pem",
    ]


def test_a_key_may_have_the_parameters_of_its_curve_beside_it() -> None:
    parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    key = made()[1][PrivateFormat.TraditionalOpenSSL]
    assert problems_of("backup_ssh_private_key", parameters + key) == []
    assert problems_of("backup_ssh_private_key", parameters)
    assert problems_of("backup_ssh_private_key", key + key)


@pytest.mark.parametrize("name", AUTHORITIES)
def test_authorities(name: str) -> None:
    one, other = made()[0], made(1)[0]
    for text in (
        one,
        one.strip(),
        one + other,
        f"# of the house: é\n{one}",
        one.replace("\n", "\r\n"),
    ):
        assert problems_of(name, text) == [], text
    for text in [*broken(one), one + other.replace("MI", "XX", 1), made()[1][KEY_FORMS[0]]]:
        assert problems_of(name, text), text


def test_a_certificate_and_its_key() -> None:
    name = "mongodb_tls_certificate_key"
    certificate, keys, locked = made()
    for form in KEY_FORMS[:2]:
        assert problems_of(name, certificate + keys[form]) == []
        assert problems_of(name, keys[form] + certificate + made(1)[0]) == []
        assert problems_of(name, certificate + locked[form])
        assert problems_of(name, certificate + made(1)[1][form])
        for text in broken(keys[form]):
            assert problems_of(name, certificate + text), text
        for text in broken(certificate):
            assert problems_of(name, text + "\n" + keys[form]), text
    assert problems_of(name, certificate)
    assert problems_of(name, keys[KEY_FORMS[0]])


@pytest.mark.parametrize("form", KEY_FORMS)
def test_a_private_key_for_backups(form: PrivateFormat) -> None:
    name = "backup_ssh_private_key"
    certificate, keys, locked = made()
    assert problems_of(name, keys[form]) == []
    for text in [*broken(keys[form]), certificate, locked.get(form, "")]:
        assert not text or problems_of(name, text), text


@pytest.mark.parametrize(
    "name", [*AUTHORITIES, "backup_ssh_private_key", "mongodb_tls_certificate_key"]
)
def test_nothing_of_a_key_is_shown(name: str) -> None:
    key = made()[1][KEY_FORMS[0]].replace("-----END", "*\n-----END")
    ((_, words),) = problems_of(name, key)
    assert key.split("\n")[1][:8] not in words
