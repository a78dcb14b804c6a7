"""A brand-new server with sshd on a custom port, and an inventory created from the example."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from controller.nanode.engine import Engine, find_engine
from controller.nanode.host import inspect_host

PROJECT = Path(os.environ.get("MOLECULE_PROJECT_DIRECTORY", Path(__file__).parents[3]))
BIN = Path(sys.executable).parent
SSH_PORT = 2222


def call(command: list[str], **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a command and capture its output as text."""
    return subprocess.run(command, capture_output=True, text=True, **{"check": False, **more})  # noqa: S603 (commands are built here)


@dataclass(frozen=True)
class Server:
    """The container, inspected through its engine, so independently of sshd."""

    engine: Engine
    container: str
    address: str
    key: Path
    known_hosts: Path

    def inside(self, script: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run a shell script as root in the container."""
        command = self.engine.command("exec", "-i", self.container, "sh", "-c", script)
        return call(command, input=given)

    def allows_login(self, user: str, key: Path | None = None) -> bool:
        """Whether this user can log in with a key in a new connection."""
        command = ["ssh", "-n", "-p", str(SSH_PORT), "-i", str(key or self.key)]
        for option in (
            "BatchMode=yes",
            "ControlPath=none",
            "IdentitiesOnly=yes",
            f"UserKnownHostsFile={self.known_hosts}",
            "ConnectTimeout=10",
        ):
            command += ["-o", option]
        command += [f"{user}@{self.address}", "true"]
        return call(command).returncode == 0

    def has_restricted_sshd(self) -> bool:
        """Whether the sshd drop-in file of role sshd exists."""
        return self.inside("test -e /etc/ssh/sshd_config.d/00-tox_com_det.conf").returncode == 0


@dataclass(frozen=True)
class Canary:
    """Unique secrets: wherever one is found, it leaked."""

    password: str
    hash: str
    vault_password: str
    root_password: str

    def needles(self) -> list[str]:
        return [self.password, self.hash, self.vault_password, self.root_password]


@dataclass
class Laptop:
    """The controller: an inventory created from the example, and the commands that use it."""

    work: Path
    inventory: Path
    vault_password_file: Path
    output: list[str] = field(default_factory=list)

    def environment(self, **more: str) -> dict[str, str]:
        fixed = {
            "ANSIBLE_INVENTORY": str(self.inventory),
            "ANSIBLE_VAULT_PASSWORD_FILE": str(self.vault_password_file),
            "ANSIBLE_LOG_PATH": str(self.work / "ansible.log"),
            "ANSIBLE_CACHE_PLUGIN": "jsonfile",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(self.work / "facts"),
            "ANSIBLE_NOCOLOR": "1",
        }
        base = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "MOLECULE_"))}
        return {**base, **fixed, **more}

    def run(
        self, program: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one command in the checkout and keep its output for the leak tests."""
        done = call(
            [str(BIN / program), *arguments],
            cwd=PROJECT,
            env=self.environment(**(environment or {})),
            stdin=subprocess.DEVNULL,
        )
        self.output.append(done.stdout + done.stderr)
        return done

    def bootstrap(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run bootstrap.yml."""
        return self.run(
            "ansible-playbook", "playbooks/bootstrap.yml", *arguments, environment=environment
        )


@pytest.fixture(scope="session")
def canary() -> Canary:
    # Starts with a letter, so it is neither an option nor a number.
    password = f"canary-{secrets.token_hex(12)}"
    hashed = call(["openssl", "passwd", "-6", "-stdin"], input=password, check=True)
    return Canary(
        password,
        hashed.stdout.strip(),
        f"vault-{secrets.token_hex(12)}",
        f"rootpw-{secrets.token_hex(12)}",
    )


@pytest.fixture(scope="session")
def server(canary, tmp_path_factory) -> Server:
    """A server as delivered by a provider: root with password or key, sshd on another port."""
    state = PROJECT / ".nanode/bootstrap"
    record = json.loads((state / "instance.json").read_text())
    engine = find_engine(inspect_host(), os.environ.get("NANODE_ENGINE"))
    query = ("inspect", "--format={{.NetworkSettings.IPAddress}}", record["container"])
    shown = call(engine.command(*query), check=True)
    address = shown.stdout.strip()
    known_hosts = tmp_path_factory.mktemp("ssh") / "known_hosts"
    host_key = (state / "known_hosts").read_text().split(maxsplit=1)[1]
    known_hosts.write_text(f"[{address}]:{SSH_PORT} {host_key}")
    found = Server(engine, record["container"], address, state / "id_ed25519", known_hosts)
    script = (
        "set -e; chpasswd; cd /etc/ssh; "
        "grep -q '^Port' sshd_config || "
        f"printf 'Port {SSH_PORT}\\nPermitRootLogin yes\\n' >> sshd_config; "
        "systemctl restart ssh"
    )
    done = found.inside(script, f"root:{canary.root_password}\n")
    assert done.returncode == 0, done.stderr
    return found


@pytest.fixture(scope="session")
def laptop(server, canary, tmp_path_factory) -> Laptop:
    """Run `cp -r inventory/example inventory/mine` and the commands in its vault.yml.example."""
    work = tmp_path_factory.mktemp("laptop")
    mine = work / "mine"
    shutil.copytree(PROJECT / "inventory/example", mine)
    vault_password = work / "vault_password"
    vault_password.write_text(canary.vault_password + "\n")
    vault_password.chmod(0o600)
    found = Laptop(work, mine, vault_password)
    host = {
        "ansible_host": server.address,
        "ansible_port": SSH_PORT,
        "ansible_ssh_private_key_file": str(server.key),
        "ansible_ssh_common_args": (
            f"-o UserKnownHostsFile={server.known_hosts} -o IdentitiesOnly=yes"
        ),
        # Settings for a container, as in inventory/local.
        "base_swap_enabled": False,
        "base_reboot": "never",
        "python_provider": "system",
        "mongodb_provider": "secantusdb",
    }
    write_json(mine / "hosts.yml", {"tox_com_det": {"hosts": {"bootstrap": host}}})
    group = mine / "group_vars/tox_com_det"
    vault = (group / "vault.yml.example").read_text()
    vault = vault.replace("the sudo password", f'"{canary.password}"')
    vault = vault.replace("its hash as printed by 'openssl passwd -6'", f'"{canary.hash}"')
    (group / "vault.yml").write_text(vault)
    done = found.run("ansible-vault", "encrypt", str(group / "vault.yml"))
    assert done.returncode == 0, done.stderr
    assert (group / "vault.yml").read_text().startswith("$ANSIBLE_VAULT;")
    return found


@pytest.fixture
def other_key(tmp_path) -> Path:
    """A key other than the inventory's."""
    key = tmp_path / "other"
    made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "other", "-f", str(key)]
    call(made, check=True)
    return key


def write_json(path: Path, document: Any) -> None:
    """Write the document as JSON, which is valid YAML and needs no manual quoting."""
    path.write_text(json.dumps(document) + "\n")
