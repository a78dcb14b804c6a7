"""A brand-new server with sshd on a custom port, and an inventory created from the example.

The server goes through STAGES, each of which is a fixture. Tests that use none of them find the
brand-new server. Within a stage the order is random (pytest-randomly prints its seed): fixture
as_found restores after each test what decides about logins.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from processes import watched_processes

from controller.nanode.engine import Engine, find_engine
from controller.nanode.host import inspect_host

PROJECT = Path(os.environ.get("MOLECULE_PROJECT_DIRECTORY", Path(__file__).parents[3]))
BIN = Path(sys.executable).parent
# What create.yml writes of a system other than Debian.
SOURCES = PROJECT / "molecule/bootstrap/inventory/sources.yml"
SSH_PORT = 2222
# Ends a hang, is no promise: on a busy machine everything takes longer.
HANG_SECONDS = 600
# What ssh says of a connection that ended before sshd said which program it is.
PENALTY = re.compile("kex_exchange_identification|Not allowed at this time")
STAGES = ("hardened", "provisioned", "finished")
GUARD = "tox_com_det-lockout-guard"
# What decides about logins. Ansible's own temporary files do not.
LOGIN_DIRECTORIES = "etc/ssh etc/sudoers.d home root/.ssh usr/local/sbin"
LOGIN_FILES = "etc/passwd etc/shadow etc/group etc/gshadow etc/subuid etc/subgid etc/sudoers"


def call(command: list[str], **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a command and capture its output as text."""
    return subprocess.run(command, capture_output=True, text=True, **{"check": False, **more})  # noqa: S603 (commands are built here)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, however long it takes on a busy machine."""
    end = time.monotonic() + HANG_SECONDS
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {HANG_SECONDS} s"
        time.sleep(0.2)


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
        """Whether this user can log in with a key in a new connection.

        Since 9.8 sshd hangs up for some seconds after failed logins, which says nothing of the key.
        """
        command = ["ssh", "-n", "-p", str(SSH_PORT), "-i", str(key or self.key)]
        for option in (
            "BatchMode=yes",
            "ControlPath=none",
            "IdentitiesOnly=yes",
            f"UserKnownHostsFile={self.known_hosts}",
            f"ConnectTimeout={HANG_SECONDS}",
        ):
            command += ["-o", option]
        command += [f"{user}@{self.address}", "true"]
        done = call(command)
        end = time.monotonic() + HANG_SECONDS
        while PENALTY.search(done.stderr) and time.monotonic() < end:
            time.sleep(1)
            done = call(command)
        return done.returncode == 0

    def expire_guard(self) -> list[str]:
        """The command that ends the time which the active guard waits for, as if it had passed."""
        script = (
            f"set -e; end=$(($(date +%s) + {HANG_SECONDS}));"
            f"pid=$(systemctl show --property MainPID {GUARD} | cut -d= -f2);"
            r'until child=$(grep -l "^PPid:[[:space:]]*$pid\$" /proc/[0-9]*/status 2>/dev/null |'
            r'xargs -r grep -l "^Name:[[:space:]]*sleep\$"); [ -n "$child" ];'
            'do [ "$(date +%s)" -lt "$end" ]; sleep 0.1; done;'
            'kill "$(echo "$child" | cut -d/ -f3)";'
            f"until [ -e /run/{GUARD}/expired ];"
            'do [ "$(date +%s)" -lt "$end" ]; sleep 0.1; done'
        )
        return self.engine.command("exec", self.container, "sh", "-c", script)

    def forgive(self) -> None:
        """Let sshd forget failed logins: since 9.8 it refuses an address after some of them."""
        penalties = self.inside("/usr/sbin/sshd -T | grep -q '^persourcepenalties '")
        if penalties.returncode == 0:
            self.restart_sshd()

    def restart_sshd(self) -> None:
        """Have sshd read its files, and wait until it has.

        Not a reload: systemctl has ended before sshd begins, and a connection that is answered
        meanwhile says nothing, as the next one may be refused. systemd counts these starts.
        """
        done = self.inside("systemctl reset-failed sshd; systemctl restart sshd")
        assert done.returncode == 0, done.stderr
        wait_until(self.listens, "sshd listens again")

    def listens(self) -> bool:
        """Whether sshd answers a new connection."""
        command = ["ssh-keyscan", "-p", str(SSH_PORT), self.address]
        return bool(call(command).stdout)

    def login_state(self) -> bytes:
        """Everything that decides about logins, as a tar archive."""
        command = (
            "cd / && tar --create --file - --exclude=.ansible --sort=name --numeric-owner "
            f"{LOGIN_DIRECTORIES} $(ls -d {LOGIN_FILES} 2>/dev/null)"
        )
        shown = self.engine.command("exec", self.container, "sh", "-c", command)
        return subprocess.run(shown, capture_output=True, check=True).stdout  # noqa: S603 (built here)

    def restore_login_state(self, saved: bytes) -> None:
        """Stop the guard, restore the files and have sshd read them; do nothing if all is equal."""
        self.inside(f"systemctl stop {GUARD}")
        self.forgive()
        if self.login_state() == saved:
            return
        command = (
            f"set -e; cd /; rm -rf {LOGIN_DIRECTORIES};"
            "tar --extract --file - --preserve-permissions --numeric-owner"
        )
        extract = self.engine.command("exec", "-i", self.container, "sh", "-c", command)
        subprocess.run(extract, input=saved, check=True)  # noqa: S603 (built here)
        self.restart_sshd()

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
        unique = self.password.partition(" ")[0]
        return [unique, self.hash, self.vault_password, self.root_password]


@dataclass
class Laptop:
    """The controller: an inventory created from the example, and the commands that use it."""

    work: Path
    inventory: Path
    vault_password_file: Path
    sockets: Path
    output: list[str] = field(default_factory=list)

    def environment(self, **more: str) -> dict[str, str]:
        fixed = {
            "ANSIBLE_INVENTORY": str(self.inventory),
            "ANSIBLE_VAULT_PASSWORD_FILE": str(self.vault_password_file),
            "ANSIBLE_LOG_PATH": str(self.work / "ansible.log"),
            "ANSIBLE_CACHE_PLUGIN": "jsonfile",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(self.work / "facts"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_TIMEOUT": "60",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.sockets),
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

    def disconnect(self) -> None:
        """End the connections that Ansible keeps open; those of a removed user would stay."""
        for socket in self.sockets.iterdir():
            call(["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "any"])

    def bootstrap(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run bootstrap.yml."""
        return self.run(
            "ansible-playbook", "playbooks/bootstrap.yml", *arguments, environment=environment
        )


@pytest.fixture(scope="session")
def canary() -> Canary:
    # Starts with a letter, so it is neither an option nor a number. What follows the blank means
    # something to Jinja, YAML, a shell or systemd.
    password = f"canary-{secrets.token_hex(12)} {{{{ x }}}}{{{{y {{% z #}} $a`b\\c\"d' @:/%h ü"
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
        "systemctl restart sshd"
    )
    done = found.inside(script, f"root:{canary.root_password}\n")
    assert done.returncode == 0, done.stderr
    return found


def settings_of_the_system() -> dict[str, Any]:
    """What the server needs in place of Debian's settings, if it has another system."""
    if not SOURCES.exists():
        return {}
    written = yaml.safe_load(SOURCES.read_text(encoding="utf-8"))
    settings: dict[str, Any] = written["tox_com_det"]["hosts"]["bootstrap"]
    return settings


@pytest.fixture(scope="session")
def laptop(server, canary, tmp_path_factory) -> Iterator[Laptop]:
    """Run `cp -r inventory/example inventory/mine` and the commands in its vault.yml.example."""
    work = tmp_path_factory.mktemp("laptop")
    mine = work / "mine"
    shutil.copytree(PROJECT / "inventory/example", mine)
    vault_password = work / "vault_password"
    vault_password.write_text(canary.vault_password + "\n")
    vault_password.chmod(0o600)
    # A short path: that of a socket has at most 107 characters.
    sockets = Path(tempfile.mkdtemp(prefix="cp-"))
    found = Laptop(work, mine, vault_password, sockets)
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
        **settings_of_the_system(),
        # The default is for people who wait, not for a busy machine.
        "lockout_guard_timeout": HANG_SECONDS,
    }
    write_json(mine / "hosts.yml", {"tox_com_det": {"hosts": {"bootstrap": host}}})
    group = mine / "group_vars/tox_com_det"
    vault = (group / "vault.yml.example").read_text()
    vault = vault.replace("the sudo password", json.dumps(canary.password, ensure_ascii=False))
    vault = vault.replace("its hash as printed by 'openssl passwd -6'", f'"{canary.hash}"')
    (group / "vault.yml").write_text(vault)
    done = found.run("ansible-vault", "encrypt", str(group / "vault.yml"))
    assert done.returncode == 0, done.stderr
    assert (group / "vault.yml").read_text().startswith("$ANSIBLE_VAULT;")
    yield found
    found.disconnect()
    shutil.rmtree(sockets)


@dataclass(frozen=True)
class Outcome:
    """A command, and what was seen in processes while it ran."""

    done: subprocess.CompletedProcess[str]
    visible: dict[str, str]


@pytest.fixture(scope="session")
def hardened(laptop, server, canary, tmp_path_factory) -> Outcome:
    """Run bootstrap.yml on the brand-new server, and let it succeed."""
    arguments = ["-v", "--diff"]
    with_password = shutil.which("sshpass") is not None
    if with_password:
        # As delivered by a provider: a password and no key.
        server.inside("mv /root/.ssh/authorized_keys /root/.ssh/aside")
        password = tmp_path_factory.mktemp("root") / "password"
        password.write_text(canary.root_password + "\n")
        arguments.append(f"--connection-password-file={password}")
    try:
        with watched_processes(server, canary) as visible:
            done = laptop.bootstrap(*arguments)
    finally:
        if with_password:
            server.inside("mv /root/.ssh/aside /root/.ssh/authorized_keys")
    assert done.returncode == 0, done.stdout
    return Outcome(done, visible)


@pytest.fixture(scope="session")
def provisioned(hardened, laptop, server, canary) -> Outcome:
    """Run site.yml, and deploy the sample model."""
    with watched_processes(server, canary) as visible:
        done = laptop.run("ansible-playbook", "site.yml", "-v", "--diff")
        assert done.returncode == 0, done.stdout[-4000:]
        for task in ("build-model", "restore-embeddings", "deploy-model", "status"):
            fab = laptop.run("fab", task)
            assert fab.returncode == 0, fab.stdout[-2000:] + fab.stderr[-2000:]
    return Outcome(done, visible)


@pytest.fixture(scope="session")
def finished(provisioned) -> None:
    """For tests that look at what the others left behind."""


@pytest.fixture(autouse=True)
def as_found(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave the server as the test found it, also if the test fails."""
    if "server" not in request.fixturenames:
        yield
        return
    server, laptop = (request.getfixturevalue(name) for name in ("server", "laptop"))
    saved = server.login_state()
    yield
    laptop.disconnect()
    server.restore_login_state(saved)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the stages in order; a stable sort keeps the random order within each of them."""

    def stages(item: pytest.Item) -> list[bool]:
        names = item.fixturenames if isinstance(item, pytest.Function) else []
        return [stage in names for stage in reversed(STAGES)]

    items.sort(key=stages)


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
