"""What a server says about itself in /etc/tox_com_det/server.json (written by role flask_app)."""

from __future__ import annotations

import json
import posixpath
import shlex
from dataclasses import dataclass, fields
from typing import Any

from controller.deploy.errors import DeployError

__all__ = ["SERVER_JSON", "ServerConfig"]

SERVER_JSON = "/etc/tox_com_det/server.json"
FORMAT = 1
AGAIN = "ansible-playbook site.yml --tags flask_app"
OTHERS = {  # keys of slotctl and of people, of no use here
    "format", "managed_by", "slots", "live_link", "slots_dir", "probe_url", "socket", "state_dir",
    "python", "memory_max", "drain_seconds", "watch_seconds", "lock_file", "deploy_lock_file",
}  # fmt: skip
COMMANDS = ("slotctl", "releasectl")
NUMBERS = ("http_port", "keep_releases", "keep_free_mb")


@dataclass(frozen=True)
class ServerConfig:
    """Paths and names on one server; see CONTRACT in docs."""

    user: str
    models_dir: str
    dumps_dir: str
    incoming_dir: str
    releases_dir: str
    app_link: str
    wheel_target: str
    slotctl: tuple[str, ...]
    releasectl: tuple[str, ...]
    unit: str
    env_file: str
    http_port: int
    public_url: str | None
    keep_releases: int
    keep_free_mb: int

    @classmethod
    def parse(cls, text: str, where: str) -> ServerConfig:
        """Read the text of server.json; DeployError names a missing, wrong or unknown key."""
        try:
            data = json.loads(text)
        except ValueError as error:
            raise DeployError(f"{where}:{SERVER_JSON} is not JSON ({error}): {AGAIN}") from None
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise DeployError(f"{where}:{SERVER_JSON} is not in format {FORMAT}: {AGAIN}")
        names = {item.name for item in fields(cls)}
        missing, unknown = sorted(names - set(data)), sorted(set(data) - names - OTHERS)
        if missing or unknown:
            words = [f"no {key}" for key in missing] + [f"an unknown {key}" for key in unknown]
            raise DeployError(f"{where}:{SERVER_JSON} has {', '.join(words)}: {AGAIN}")
        values: dict[str, Any] = {name: data[name] for name in names}
        for name, value in values.items():
            if name in NUMBERS:
                good = isinstance(value, int) and not isinstance(value, bool)
            else:
                good = bool(value) and isinstance(value, str)
            if not good and not (name == "public_url" and value is None):
                raise DeployError(f"{where}:{SERVER_JSON}: {name} is {value!r}: {AGAIN}")
        for name in COMMANDS:
            values[name] = tuple(shlex.split(values[name]))
        return cls(**values)

    def model_dir(self, version: str) -> str:
        """Return the directory of a model release."""
        return posixpath.join(self.models_dir, version)

    def dump_dir(self, collection: str) -> str:
        """Return the directory an uploaded dump is in until it is restored."""
        return posixpath.join(self.dumps_dir, collection)

    def url(self, address: str) -> str:
        """Return where people reach the service, without a slash at the end."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = f"[{address}]" if ":" in address else address
        return f"http://{host}" + ("" if self.http_port == 80 else f":{self.http_port}")
