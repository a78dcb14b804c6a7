"""Warnings about the certificate: it ends soon, or nothing renews it."""

from __future__ import annotations

from toxctl import certificate, certificate_store, systemd, timers, tls_config
from toxctl.config import Config

__all__ = ["warnings"]

# Role tls installs both.
TIMER = "tox_com_det-certificate.timer"
SERVICE = "tox_com_det-certificate.service"


def warnings(config: Config) -> list[str]:
    """Return the warnings, each with its next command."""
    tls = tls_config.load(tls_config.beside(config.path))
    if tls is None:
        return []
    problem = certificate.problem(tls, certificate_store.live(tls))
    found = [problem] if problem else []
    if tls.mode == "files":
        return found
    if timers.stopped(TIMER):
        found.append(
            f"{TIMER} is not active, so nothing renews the certificate: {tls_config.REPAIR}"
        )
    elif systemd.unit_state(SERVICE).active == "failed":
        found.append(f"the last renewal of the certificate failed: {certificate.RENEW}")
    return found
