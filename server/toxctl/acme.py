"""Asks an ACME server for a certificate with certbot, or leaves the one that is not due yet.

Whether one is due is certbot's decision: at the time that the ACME server suggests (ARI), without
it in the last third of the life (the second half of one that is shorter than ten days).
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from urllib.parse import urlsplit

from toxctl import files, programs
from toxctl.errors import ToxctlError
from toxctl.tls_config import REPAIR, TlsConfig, is_address

__all__ = ["command", "forget_account", "log_file", "obtain"]

LINEAGE = "tox_com_det"
LOOPBACK = "127.0.0.1"
CERTBOT_SECONDS = 600.0
LOGS_KEPT = 10
IP_PROFILE = "shortlived"  # the only one with which Let's Encrypt certifies IP addresses
# Lines of certbot that end its output and give no reason.
NO_REASON = re.compile(
    r"Ask for help|See the logfile|Saving debug log|Some challenges have failed|An unexpected "
    r"error occurred|Hint: |certbot --help|Certbot failed to authenticate|Please see the logfile|"
    r"renew failure|All renewals failed|could not be renewed|fullchain\.pem|^[- ]+$"
)
RENEWAL = f"certificate {LINEAGE} with error: "
ACCOUNT = re.compile(
    r"accountDoesNotExist|deactivated|account .*(revoked|not valid|not found|does not exist)", re.I
)


def command(config: TlsConfig) -> list[str]:
    """Return the call of certbot that asks for a certificate with the settings of now."""
    words = [config.certbot, "certonly", *_common(config)]
    words += ["--agree-tos"] if config.accept_terms else []
    words += ["--server", config.acme_directory]
    words += ["--email", config.email] if config.email else ["--register-unsafely-without-email"]
    if config.challenge_port is None:
        words += ["--webroot", "--webroot-path", config.webroot]
    else:
        port = str(config.challenge_port)
        words += ["--standalone", "--http-01-address", LOOPBACK, "--http-01-port", port]
    words += ["--key-type", "ecdsa", "--renew-with-new-domains"]
    addresses = [name for name in config.names if is_address(name)]
    profile = config.acme_profile or (IP_PROFILE if addresses else "")
    # Preferred, not required: an ACME server without profiles gives what it has.
    words += ["--preferred-profile", profile] if profile else []
    for name in config.names:
        words += ["--ip-address" if name in addresses else "--domain", name]
    return words


def _common(config: TlsConfig) -> list[str]:
    words = ["--non-interactive", "--cert-name", LINEAGE, "--max-log-backups", str(LOGS_KEPT)]
    for option, name in (
        ("--config-dir", "config"),
        ("--work-dir", "work"),
        ("--logs-dir", "logs"),
    ):
        words += [option, os.path.join(config.certbot_dir, name)]
    return words


def obtain(config: TlsConfig, force: bool = False) -> tuple[str, str]:
    """Return the newest certificate and its private key as PEM text, a new one if it is due.

    Args:
        force: ask for a new one although the old one is not due.

    Raises:
        ToxctlError: kinds `acme` and `account`: there is none, for the reason in the message.
    """
    if not os.path.exists(config.certbot):
        raise ToxctlError(f"{config.certbot} is not installed: {REPAIR}")
    asked = {"server": config.acme_directory, "words": command(config)}
    before, old = files.read_json(_settings(config)), _newest(config)
    # Another authority was chosen: the certificate of the one before is not wanted any more.
    force = force or (isinstance(before, dict) and before.get("server") != asked["server"])
    # With the settings of the newest one certbot asks nobody until it is due.
    if before == asked and old:
        words = [config.certbot, "renew", *_common(config), "--no-random-sleep-on-renew"]
        words += ["--force-renewal"] * force
    else:
        words = [*command(config), "--force-renewal" if force else "--keep-until-expiring"]
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    if config.acme_ca_file:
        environment["REQUESTS_CA_BUNDLE"] = config.acme_ca_file
    try:
        done = programs.run(words, CERTBOT_SECONDS, environment)
    except ToxctlError as error:
        raise ToxctlError(str(error), "acme") from None
    output = f"{done.stdout}\n{done.stderr}"
    if done.returncode:
        kind = "account" if ACCOUNT.search(output) else "acme"
        host = urlsplit(config.acme_directory).netloc
        message = f"{host} gave no certificate: {reason(output)}"
        raise ToxctlError(message, kind, output[-4000:], log=log_file(config))
    new = _newest(config)
    if new is None:
        raise ToxctlError(f"certbot ended well, but left no certificate: {REPAIR}", "acme")
    if new != old:  # otherwise certbot has kept the settings of before
        files.write_json(_settings(config), asked)
    return new


def log_file(config: TlsConfig) -> str:
    """Return certbot's own log of its last run."""
    return os.path.join(config.certbot_dir, "logs", "letsencrypt.log")


def _newest(config: TlsConfig) -> tuple[str, str] | None:
    """Return certbot's newest certificate and its key; None if there is none."""
    live = os.path.join(config.certbot_dir, "config", "live", LINEAGE)
    try:
        with (
            open(os.path.join(live, "fullchain.pem"), encoding="utf-8") as certificate,
            open(os.path.join(live, "privkey.pem"), encoding="utf-8") as key,
        ):
            return certificate.read(), key.read()
    except FileNotFoundError:
        return None


def _settings(config: TlsConfig) -> str:
    """Return the file with the settings that the newest certificate was asked for with."""
    return os.path.join(config.certbot_dir, "asked.json")


def reason(output: str) -> str:
    """Return the line of certbot's output that says why it failed."""
    lines = [" ".join(line.split()) for line in output.splitlines()]
    lines = [line for line in lines if line and not NO_REASON.search(line)]
    details = [line for line in lines if line.startswith("Detail: ")]
    details += [line.partition(RENEWAL)[2] for line in lines if RENEWAL in line]
    chosen = details[:1] or [line for line in lines if "error" in line.lower()][-1:] or lines[-1:]
    return chosen[0].removeprefix("Detail: ")[:300].rstrip(".") if chosen else "no reason given"


def forget_account(config: TlsConfig) -> bool:
    """Set the account at the ACME server aside, so that certbot registers a new one.

    Returns whether there was one. The old one stays beside it, in case it is wanted again.
    """
    parts = urlsplit(config.acme_directory)
    below = os.path.join(config.certbot_dir, "config", "accounts", parts.netloc)
    if not os.path.isdir(below):
        return False
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_settings(config))  # certbot renews with the account of before
    aside = os.path.join(config.certbot_dir, "old-accounts")
    os.makedirs(aside, 0o700, exist_ok=True)
    shutil.move(below, os.path.join(aside, f"{parts.netloc}-{files.clock()}"))
    return True
