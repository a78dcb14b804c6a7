"""Reads /etc/tox_com_det/server.json, which role flask_app writes. Nothing else reads it."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, fields
from typing import Any

from toxctl.errors import ToxctlError
from toxctl.files import load_json

__all__ = ["DEFAULT_PATH", "REPAIR", "Config", "load"]

DEFAULT_PATH = "/etc/tox_com_det/server.json"
FORMAT = 1
REPAIR = "run `ansible-playbook site.yml --tags flask_app`"
SIZE_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True)
class Config:
    """Paths, names and limits of one server.

    Attributes:
        path: the server.json itself; the servers' own configuration lies beside it.
        unit: name of a slot's unit, with `{slot}`.
        socket: path of a slot's socket, with `{slot}`.
        memory_max: memory limit of a slot as systemd writes it, such as `300M`.
        https_port: port of HTTPS; None where the server speaks plain HTTP.
        public_url: where clients reach the service, if it is not derived from the address.
        lock_file: lock of the running activation.
        deploy_lock_file: lock of the running deploy.
    """

    path: str
    user: str
    python: str
    wheel_target: str
    models_dir: str
    dumps_dir: str
    incoming_dir: str
    releases_dir: str
    slots_dir: str
    state_dir: str
    app_link: str
    live_link: str
    env_file: str
    slots: list[str]
    unit: str
    socket: str
    probe_url: str
    memory_max: str
    http_port: int
    keep_releases: int
    keep_free_mb: int
    drain_seconds: float
    watch_seconds: float
    https_port: int | None = None
    public_url: str | None = None
    lock_file: str = "/run/tox_com_det-activate.lock"
    deploy_lock_file: str = "/run/tox_com_det-deploy.lock"

    @property
    def memory_max_bytes(self) -> int:
        """The limit of a slot in bytes; ToxctlError if it is not a size such as 300M."""
        match = re.fullmatch(r"(\d+)([KMGT]?)", self.memory_max.strip())
        if not match:
            raise ToxctlError(
                f"{self.path}: memory_max is {self.memory_max!r}, not a size such as 300M: "
                f"correct flask_app_memory_max and {REPAIR}",
                "config",
            )
        return int(match[1]) * SIZE_UNITS[match[2]]

    def model_path(self, name: str) -> str:
        """Return a model's real directory; `name` is a path or a release's name."""
        return os.path.realpath(name if "/" in name else os.path.join(self.models_dir, name))

    def app_path(self, name: str) -> str:
        """Return an app's real directory; `name` is a path or a release's name."""
        return os.path.realpath(name if "/" in name else os.path.join(self.releases_dir, name))


OPTIONAL = ("https_port", "public_url", "lock_file", "deploy_lock_file")
INTEGERS = ("http_port", "https_port", "keep_releases", "keep_free_mb")
NUMBERS = ("drain_seconds", "watch_seconds")


def _is_valid(name: str, value: Any) -> bool:
    """Return whether a key's value has the right type."""
    if name in ("https_port", "public_url") and value is None:
        return True
    if name == "slots":
        return (
            isinstance(value, list)
            and len(value) >= 2
            and all(isinstance(slot, str) and slot for slot in value)
        )
    if isinstance(value, bool):
        return False
    if name in INTEGERS:
        return isinstance(value, int)
    if name in NUMBERS:
        return isinstance(value, int | float)
    return isinstance(value, str) and bool(value)


def load(path: str) -> Config:
    """Return the content of server.json.

    Keys that are not known are ignored: an older or a newer role may have written the file.

    Raises:
        ToxctlError: kind `config`; it names every key that is missing or wrong.
    """
    try:
        with open(path, encoding="utf-8") as file:
            data = load_json(file)
    except (OSError, ValueError, RecursionError) as error:
        raise ToxctlError(f"{path} cannot be read ({error}): {REPAIR}", "config") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ToxctlError(f"{path} is not in format {FORMAT}: {REPAIR}", "config")
    names = [field.name for field in fields(Config) if field.name != "path"]
    missing = [name for name in names if name not in data and name not in OPTIONAL]
    wrong = [name for name in names if name in data and not _is_valid(name, data[name])]
    if missing or wrong:
        problems = [f"has no {name}" for name in missing]
        problems += [f"has a wrong {name} ({json.dumps(data[name])})" for name in wrong]
        raise ToxctlError(f"{path} {', '.join(problems)}: {REPAIR}", "config")
    return Config(path=path, **{name: data[name] for name in names if name in data})
