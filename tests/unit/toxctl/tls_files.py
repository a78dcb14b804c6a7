"""A server with TLS, without a server: tls.json, certificates, a certbot that does as told."""

from __future__ import annotations

import grp
import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toxctl import certificate, selfsigned
from toxctl.tls_config import TlsConfig

__all__ = ["CERTBOT", "TlsServer", "pair"]

# Writes what it was called with, then does what the file `answer` beside it says.
CERTBOT = """\
#!/bin/sh
printf '%s\\n' "$@" > "$(dirname "$0")/arguments"
printf '%s' "$REQUESTS_CA_BUNDLE" > "$(dirname "$0")/authorities"
. "$(dirname "$0")/answer"
"""


def pair(*names: str, days: int = 90) -> tuple[str, str]:
    """Return a certificate for the names and its key."""
    return selfsigned.create(list(names) or ["toxic.example.org"], days)


@dataclass
class TlsServer:
    """The files of TLS below `root`."""

    root: Path
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.root / "tls").mkdir(parents=True)
        certbot = self.root / "certbot"
        certbot.write_text(CERTBOT)
        certbot.chmod(certbot.stat().st_mode | stat.S_IXUSR)
        self.settings = {
            "format": 1,
            "mode": "acme",
            "names": ["toxic.example.org"],
            "directory": str(self.root / "tls"),
            "group": grp.getgrgid(os.getgid()).gr_name,
            "selfsigned_days": 90,
            "certbot": str(certbot),
            "certbot_dir": str(self.root / "state"),
            "webroot": str(self.root / "webroot"),
            "acme_directory": "https://ca.example.org/directory",
            "acme_profile": "",
            "acme_ca_file": "",
            "accept_terms": True,
            "email": "",
            **self.settings,
        }
        self.write()

    @property
    def server_json(self) -> str:
        return str(self.root / "server.json")

    @property
    def config(self) -> TlsConfig:
        return certificate.load(str(self.root / "tls.json"))

    def write(self, **changed: Any) -> None:
        """Change settings and write tls.json."""
        self.settings |= changed
        (self.root / "tls.json").write_text(json.dumps(self.settings))

    def certbot_gives(self, certificate_pem: str, key: str, already: bool = False) -> None:
        """Let certbot end well, with this certificate as the newest.

        `already`: it has it before it is called, and keeps it.
        """
        lineage = self.root / "state/config/live/tox_com_det"
        directory = lineage if already else self.root / "next"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "fullchain.pem").write_text(certificate_pem)
        (directory / "privkey.pem").write_text(key)
        takes = f'mkdir -p "{lineage}"; cp "{directory}"/*.pem "{lineage}"; '
        (self.root / "answer").write_text(("" if already else takes) + "exit 0\n")

    def certbot_fails(self, *lines: str) -> None:
        """Let certbot print lines and fail."""
        (self.root / "said").write_text("\n".join(lines) + "\n")
        (self.root / "answer").write_text(f'cat "{self.root}/said" >&2; exit 1\n')

    def arguments(self) -> list[str]:
        """Return the words that certbot was called with."""
        return (self.root / "arguments").read_text().splitlines()

    def served(self) -> str:
        """Return the certificate that nginx reads."""
        return (self.root / "tls/live/fullchain.pem").read_text()
