"""`toxctl certificate`: what nginx serves over TLS, and a new one where it is due."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from toxctl import acme, certificate_store, events, facts, files, selfsigned, tls_config
from toxctl.certificate_store import Live
from toxctl.errors import ToxctlError
from toxctl.tls_config import TlsConfig

__all__ = ["LOW", "RENEW", "load", "place", "placeholder", "renew", "report"]

RENEW = "run `fab renew-certificate`"
NEW_ACCOUNT = "run `fab renew-certificate --new-account` to register a new one"
COPY = (
    "put new files where tls_certificate_file and tls_key_file point, then run "
    "`ansible-playbook site.yml --tags tls`"
)
LOW = 1 / 3  # share of a certificate's life; below it, its renewal has failed
SELFSIGNED_DUE = 1 / 2


def load(path: str) -> TlsConfig:
    """Return the settings of TLS; ToxctlError, kind `config`, if the server has none."""
    config = tls_config.load(path)
    if config is None:
        message = (
            "this server speaks plain HTTP: set tls_mode, then run `ansible-playbook site.yml`"
        )
        raise ToxctlError(message, "config")
    return config


def report(config: TlsConfig) -> dict[str, Any]:
    """Return what is live and how much of its life is left; all None without a certificate."""
    found = certificate_store.live(config)
    values: dict[str, Any] = {
        "mode": config.mode,
        "wanted": config.names,
        "name": found.name if found else None,
        "source": found.source if found else None,
        "names": list(found.certificate.names) if found else None,
        "not_before": files.clock(found.certificate.not_before) if found else None,
        "not_after": files.clock(found.certificate.not_after) if found else None,
        "left": round(found.certificate.left(), 4) if found else None,
        # The laptop accepts exactly this one where no public authority vouches for it.
        "pin": found.sha256 if found and _is_private(config, found) else None,
        "problem": problem(config, found),
    }
    return values


def _is_private(config: TlsConfig, found: Live) -> bool:
    return found.source in ("selfsigned", "placeholder") or bool(config.acme_ca_file)


def problem(config: TlsConfig, found: Live | None) -> str | None:
    """Return what is wrong with the live certificate, with the next command; None if nothing is."""
    step = COPY if config.mode == "files" else RENEW
    if found is None:
        again = f"{step}, or `ansible-playbook site.yml --tags tls`" if step == RENEW else step
        return f"nginx has no certificate and key that it can read: {again}"
    end, left = files.clock(found.certificate.not_after), found.certificate.left()
    if left <= 0:
        return f"the certificate ended at {end}, clients refuse it: {step}"
    if found.source != config.mode:
        of = {"acme": "the authority", "files": "your files"}.get(config.mode, "this server")
        return f"the certificate of {of} is missing, a {found.source} one is served: {step}"
    missing = found.certificate.missing(config.names)
    if missing:
        return f"the certificate is not valid for {', '.join(missing)}: {step}"
    if left < LOW:
        return f"the certificate ends at {end}, {left:.0%} of its life is left: {step}"
    return None


def place(config: TlsConfig, request: Any) -> dict[str, Any]:
    """Make a certificate that was brought here the live one.

    Args:
        request: {"certificate", "key"}, both PEM text.

    Raises:
        ToxctlError: kinds `usage` and `certificate`; what was live stays live.
    """
    given = request if isinstance(request, dict) else {}
    certificate, key = given.get("certificate"), given.get("key")
    if not (isinstance(certificate, str) and isinstance(key, str) and certificate and key):
        raise ToxctlError('standard input is not {"certificate": PEM, "key": PEM}', "usage")
    with certificate_store.locked(config), _advised(COPY):
        return _placed(config, certificate, key, "files")


def placeholder(config: TlsConfig) -> dict[str, Any]:
    """Give nginx a self-signed certificate if it has none, so that it can answer challenges."""
    with certificate_store.locked(config), _advised(tls_config.REPAIR):
        found = certificate_store.live(config)
        if found is not None:
            _record(config, found)
            return {"changed": False, **report(config)}
        source = "selfsigned" if config.mode == "selfsigned" else "placeholder"
        return _placed(config, *selfsigned.create(config.names, config.selfsigned_days), source)


def renew(config: TlsConfig, force: bool = False, new_account: bool = False) -> dict[str, Any]:
    """Get a new certificate if it is due, and make it the live one.

    Args:
        force: also if it is not due.
        new_account: register again at the ACME server, and get a new one with that account.

    Raises:
        ToxctlError: kinds `acme`, `account`, `certificate`, `locked` and `files`. The message says
            what goes on being served, and names the next command.
    """
    if config.mode == "files":
        raise ToxctlError(f"this server's certificate comes from your files: {COPY}", "files")
    with certificate_store.locked(config), _advised(f"{RENEW} again"):
        if config.mode == "selfsigned":
            return _renew_selfsigned(config, force)
        if new_account and acme.forget_account(config):
            events.say("the account at the authority is set aside")
        try:
            # A new account is registered only where a certificate is asked for.
            certificate, key = acme.obtain(config, force or new_account)
        except ToxctlError as error:
            step = NEW_ACCOUNT if error.kind == "account" else f"{RENEW} again"
            message = f"{error}; {_still_served(config)}: {step}"
            raise ToxctlError(message, error.kind, error.details, **error.more) from None
        return _placed(config, certificate, key, "acme")


@contextlib.contextmanager
def _advised(step: str) -> Iterator[None]:
    """Add the next command to what is wrong with a certificate, its key or openssl."""
    try:
        yield
    except ToxctlError as error:
        if error.kind != "certificate" or "`" in str(error):
            raise
        raise ToxctlError(f"{error}: {step}", error.kind, error.details, **error.more) from None


def _renew_selfsigned(config: TlsConfig, force: bool) -> dict[str, Any]:
    found = certificate_store.live(config)
    wanted = sorted({tls_config.normal(name) for name in config.names})
    if (
        found is not None
        and not force
        and found.source == "selfsigned"
        and list(found.certificate.names) == wanted
        and found.certificate.left() >= SELFSIGNED_DUE
    ):
        return {"changed": False, **report(config)}
    return _placed(config, *selfsigned.create(config.names, config.selfsigned_days), "selfsigned")


def _still_served(config: TlsConfig) -> str:
    found = certificate_store.live(config)
    if found is None:
        return "nothing is served over TLS"
    return f"the {found.source} certificate until {files.clock(found.certificate.not_after)} stays"


def _placed(config: TlsConfig, certificate: str, key: str, source: str) -> dict[str, Any]:
    found, changed = certificate_store.place(config, certificate, key, source)
    _record(config, found)
    return {"changed": changed, **report(config)}


def _record(config: TlsConfig, found: Live) -> None:
    directory = os.path.dirname(config.directory)
    facts.record(directory, certificate_ends=round(found.certificate.not_after))
