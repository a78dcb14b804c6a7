"""The inventory that a server is written into: a directory of the user's own."""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller.cloud.known_hosts import KnownHosts
from controller.deploy.errors import DeployError
from controller.deploy.inventory import GROUP, environment, refuse_empty
from controller.deploy.inventory_errors import no_hosts
from controller.deploy.paths import ROOT, absolute

__all__ = ["Inventory", "find_inventory", "make_inventory", "read_inventory"]

EXAMPLE = ROOT / "inventory" / "example"
NOT_FOR_SERVERS = (EXAMPLE, ROOT / "inventory" / "local")
VARIABLE = "ANSIBLE_INVENTORY"
NO_HOST = (
    "---\n# Servers that you write down yourself; `fab create-server` writes a file for each of "
    "its own.\ntox_com_det: {}\n"
)
# Ansible reads every file of the directory but those with such a suffix.
KNOWN_HOSTS = "known_hosts.txt"
DOCUMENTATION = ipaddress.ip_network("192.0.2.0/24")  # where inventory/example's host is


@dataclass(frozen=True)
class Inventory:
    """An inventory: where it is, its variables for the group, and its hosts' own.

    `variables`, `hosts`: as they are written, not templated; secrets are among them.
    """

    path: Path
    variables: Mapping[str, Any] = field(default_factory=dict, repr=False)
    hosts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)

    @property
    def known_hosts(self) -> KnownHosts:
        """Its servers' host keys."""
        return KnownHosts(self.path / KNOWN_HOSTS)

    def host_file(self, label: str) -> Path:
        """Return the file of a server."""
        return self.path / f"linode-{label}.yml"

    def write_host(self, label: str, variables: Mapping[str, Any], about: str) -> None:
        """Write the file of a server. `about`: what it is, for its first line."""
        # For ssh a percent sign begins a token.
        directory = '{{ inventory_dir | replace("%", "%%") }}'
        options = f"-o 'UserKnownHostsFile=\"{directory}/{KNOWN_HOSTS}\"'"
        host = {
            "ansible_host": variables["ansible_host"],
            "ansible_ssh_common_args": f"{options} -o StrictHostKeyChecking=yes",
            **variables,
        }
        document = {GROUP: {"hosts": {label: host}}}
        text = f"# Written by `fab create-server`, removed by `fab destroy-server`: {about}.\n"
        path = self.host_file(label)
        beside = path.with_name(f".{path.name}.new")
        beside.write_text(text + json.dumps(document, indent=2) + "\n", encoding="utf-8")
        os.replace(beside, path)

    def address_of(self, label: str) -> str | None:
        """Return the address in the file of a server."""
        return self.hosts.get(label, {}).get("ansible_host")

    def is_foreign(self, label: str) -> bool:
        """Return whether a host of this name is there that `fab create-server` did not write."""
        return label in self.hosts and not self.host_file(label).exists()

    def examples(self) -> list[str]:
        """Return the hosts whose addresses are no real ones."""
        return [name for name, host in self.hosts.items() if _is_example(host.get("ansible_host"))]


def find_inventory(given: str | None) -> Path:
    """Return the inventory's directory, which need not exist.

    `given`: as typed; None: ANSIBLE_INVENTORY. Raises DeployError: none is named, or it is one of
    this project's own, a file or a list.
    """
    if given is not None:
        refuse_empty(given)
    named = given or os.environ.get(VARIABLE)
    mine = "name a directory of your own, such as --inventory inventory/mine"
    if not named:
        raise DeployError(f"a server needs an inventory to be written into: {mine}")
    if "," in named:
        raise DeployError(f"a server cannot be written into the list {named!r}: {mine}")
    path = absolute(named)
    if not path.exists() and (ROOT / named).exists():
        path = ROOT / named
    if path.resolve() in NOT_FOR_SERVERS:
        raise DeployError(f"{named} belongs to this project: {mine}; it is made if it is missing")
    if path.exists() and not path.is_dir():
        raise DeployError(f"{named} is a file: {mine}")
    return path


def make_inventory(path: Path) -> None:
    """Copy the example, without its host."""
    shutil.copytree(EXAMPLE, path)
    (path / "hosts.yml").write_text(NO_HOST, encoding="utf-8")


def read_inventory(path: Path) -> Inventory:
    """Read an inventory through Ansible, which decrypts its vault; that of a missing one is empty.

    Raises DeployError: it cannot be read, or the vault's password is missing.
    """
    if not path.exists():
        return Inventory(path)
    done = subprocess.run(  # noqa: S603 (built here, no shell)
        [sys.executable, "-m", "ansible", "inventory", "-i", str(path), "--list", "--export"],
        env=environment(os.environ),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        listed = json.loads(done.stdout)
    except ValueError:
        raise no_hosts(str(path), None, done.returncode or 1, done.stderr) from None
    variables = {**listed["all"].get("vars", {}), **listed.get(GROUP, {}).get("vars", {})}
    hosts: dict[str, Any] = {name: {} for name in listed.get(GROUP, {}).get("hosts", [])}
    return Inventory(path, variables, {**hosts, **listed["_meta"]["hostvars"]})


def _is_example(address: object) -> bool:
    try:
        return ipaddress.ip_address(str(address)) in DOCUMENTATION
    except ValueError:
        return False
