"""The settings of a server that the laptop needs, as `toxctl status` reports them."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from controller.deploy.errors import DeployError

__all__ = ["PLAYBOOK", "ServerSettings"]

PLAYBOOK = "run `ansible-playbook site.yml`"


@dataclass(frozen=True)
class ServerSettings:
    """Names, paths and limits on one server. toxctl reads them from its server.json."""

    user: str
    unit: str
    models_dir: str
    dumps_dir: str
    incoming_dir: str
    releases_dir: str
    wheel_target: str
    http_port: int
    https_port: int | None
    public_url: str | None
    keep_releases: int
    keep_free_mb: int

    @classmethod
    def from_status(cls, status: Mapping[str, Any], server: str) -> ServerSettings:
        """Return the settings in toxctl's status.

        Raises DeployError: a setting is missing, because toxctl is of an older version.
        """
        config = status.get("config")
        config = config if isinstance(config, Mapping) else {}
        names = [item.name for item in fields(cls)]
        missing = [name for name in names if name not in config]
        if missing:
            raise DeployError(
                f"toxctl {status.get('version', 'of an unknown version')} on {server} does not "
                f"report {', '.join(missing)}: {PLAYBOOK} to upgrade it"
            )
        return cls(**{name: config[name] for name in names})

    def url(self, address: str) -> str:
        """Return the service's public address, without a slash at the end."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = f"[{address}]" if ":" in address else address
        if self.https_port:
            return f"https://{host}" + ("" if self.https_port == 443 else f":{self.https_port}")
        return f"http://{host}" + ("" if self.http_port == 80 else f":{self.http_port}")

    def release_path(self, kind: str, name: str) -> str:
        """Return the directory of a release; `kind`: `model` or `app`."""
        below = self.models_dir if kind == "model" else self.releases_dir
        return posixpath.join(below, name)
