"""What the tasks about thresholds share: whom they ask for scores, and their options."""

from __future__ import annotations

import re
from pathlib import Path

from controller.deploy.cli import HOSTS
from controller.deploy.errors import DeployError
from controller.deploy.inventory import read_hosts
from controller.deploy.paths import BUILD, absolute
from controller.deploy.predict import read_key
from controller.deploy.server import opened
from controller.model_build.errors import file_problem
from controller.scores.retries import check_address
from controller.scores.service import Service

__all__ = ["SCORES", "SERVICE", "check_url", "input_file", "open_service", "share"]

SCORES = BUILD / "scores"
SERVICE = {
    "url": "address of the service (default: the inventory's server)",
    **HOSTS,
    "key_file": "file with an API key, for a service that requires one",
}


def input_file(given: str, task: str) -> Path:
    """Return the file that a task reads.

    invoke takes an option that it does not know for the file's name.

    Raises DeployError: not a file.
    """
    path = absolute(given)
    if given.startswith("-") and not path.exists():
        raise DeployError(f"there is no option {given}: see `fab --help {task}`")
    if problem := file_problem(path):
        raise DeployError(f"{path} {problem}: see `fab --help {task}`")
    return path


def check_url(url: str | None) -> None:
    """Raise DeployError for an address that cannot be asked; None is the inventory's server."""
    if url is not None:
        check_address("url", url, "http://127.0.0.1:8080")


def open_service(
    url: str | None, inventory: str | None, limit: str | None, key_file: str | None = None
) -> Service:
    """Return the service at a checked address, or that of the one server of the inventory.

    Raises DeployError: no address, no server, or several; no key in the file.
    """
    key = read_key(absolute(key_file)) if key_file else None
    if url is not None:
        return Service(url, key=key)
    hosts = read_hosts(inventory, limit)
    if len(hosts) > 1:
        names = ", ".join(host.name for host in hosts)
        raise DeployError(f"the inventory has {len(hosts)} servers ({names}): name one by --limit")
    with opened(hosts[0]) as server:
        return Service(server.url, key=key, pin=server.pin)


def share(option: str, value: str | None) -> float | None:
    """Return an option's number between 0 and 1; None if it is not given."""
    if value is None:
        return None
    if re.fullmatch(r"0?\.[0-9]{1,9}", value) is None or not 0 < float(value) < 1:
        raise DeployError(f"--{option} is {value}, expected a number between 0 and 1, such as 0.02")
    return float(value)
