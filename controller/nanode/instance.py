"""One local Nanode: its names and ports, the command that starts it, its entry in the inventory."""

from __future__ import annotations

import hashlib
import json
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path

from controller.deploy.ssh_options import ssh_value
from controller.nanode import NanodeError
from controller.nanode.engine import Engine
from controller.nanode.host import Host, ulimit_arguments
from controller.ports import LOOPBACK

MEMORY = "1g"
LABEL = "tox_com_det.checkout"
_RECORD = "instance.json"


@dataclass(frozen=True)
class Instance:
    """A local Nanode as Ansible sees it.

    Attributes:
        name: its name in the inventory.
        container: its name in the engine, different for every checkout.
        http_port: loopback TCP port that leads to port 80.
        ssh_port: loopback TCP port that leads to port 22.
        system: what it runs; records of before name none.
    """

    name: str
    container: str
    http_port: int
    ssh_port: int
    system: str = "debian12"


@dataclass(frozen=True)
class Files:
    """Where the files of a local Nanode are on this host.

    Attributes:
        checkout: the checkout that it belongs to.
        state: directory of its key, known_hosts and record.
        inventory: the inventory file for Ansible.
    """

    checkout: Path
    state: Path
    inventory: Path

    @property
    def key(self) -> Path:
        """The private SSH key."""
        return self.state / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The host key, in the form of ssh."""
        return self.state / "known_hosts"


def container_name(name: str, checkout: Path) -> str:
    """The container's name in the engine; two checkouts on one host have different containers."""
    return f"tox-com-det-{name}-{hashlib.sha256(str(checkout).encode()).hexdigest()[:6]}"


def run_command(
    engine: Engine,
    host: Host,
    instance: Instance,
    image: str,
    checkout: Path,
    volumes: tuple[str, ...] = (),
    capabilities: tuple[str, ...] = (),
    network: str | None = None,
) -> list[str]:
    """The engine's command that starts the container with systemd as PID 1.

    SYS_ADMIN lets systemd apply the sandbox of its units (it omits it silently otherwise),
    NET_ADMIN and NET_RAW let firewalld set its rules. There is no swap on top of the memory.

    Args:
        volumes: directories of this host for the container, HOST:CONTAINER[:OPTIONS].
        capabilities: what its system needs in addition.
        network: of the engine; None: its default.
    """
    options = [
        "--detach",
        f"--name={instance.container}",
        f"--hostname={instance.name}",
        f"--label={LABEL}={checkout}",
        f"--memory={MEMORY}",
        f"--memory-swap={MEMORY}",
        "--restart=always",
        "--cap-add=NET_ADMIN",
        "--cap-add=SYS_ADMIN",
        "--cap-add=NET_RAW",
        *(f"--cap-add={capability}" for capability in capabilities),
        *([f"--network={network}"] if network else []),
        f"--publish={LOOPBACK}:{instance.http_port}:80",
        f"--publish={LOOPBACK}:{instance.ssh_port}:22",
        *ulimit_arguments(host),
        *(f"--volume={path}:{path}:rw" for path in host.writable_cgroups),
        *(f"--volume={volume}" for volume in volumes),
    ]
    if engine.name == "podman":
        options.append("--systemd=always")
    else:
        options += [
            "--tmpfs=/run",
            "--tmpfs=/run/lock",
            "--tmpfs=/tmp:exec",
            "--cgroupns=private",
            "--security-opt=seccomp=unconfined",
            "--security-opt=apparmor=unconfined",
        ]
    return engine.command("run", *options, image, "/sbin/init")


def ssh_options(files: Files) -> list[str]:
    """The options of ssh that accept this Nanode's host key and its key alone."""
    return [
        f"UserKnownHostsFile={ssh_value(files.known_hosts)}",
        "StrictHostKeyChecking=yes",
        "IdentitiesOnly=yes",
    ]


def inventory_text(instance: Instance, files: Files) -> str:
    """The generated inventory file, in JSON, which is YAML in which no path needs quoting."""
    host = {
        "ansible_host": LOOPBACK,
        "ansible_port": instance.ssh_port,
        "ansible_ssh_private_key_file": str(files.key),
        "ansible_ssh_common_args": shlex.join(
            word for option in ssh_options(files) for word in ("-o", option)
        ),
        "nginx_public_url": f"http://{LOOPBACK}:{instance.http_port}",
    }
    document = {"tox_com_det": {"hosts": {instance.name: host}}}
    return "# Written by `python -m controller.nanode create`, removed by `destroy`.\n" + (
        json.dumps(document, indent=2) + "\n"
    )


def record(instance: Instance, state: Path) -> None:
    """Store an instance in its state directory."""
    (state / _RECORD).write_text(json.dumps(asdict(instance), indent=2) + "\n")


def find_recorded(state: Path) -> Instance | None:
    """The instance that is recorded in `state`; None without a valid record."""
    try:
        return Instance(**json.loads((state / _RECORD).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def recorded(state: Path) -> Instance:
    """The instance that is recorded in `state`.

    Raises:
        NanodeError: there is none.
    """
    found = find_recorded(state)
    if found is None:
        raise NanodeError(f"{state} has no record of a local Nanode: create one with 'make up'")
    return found
