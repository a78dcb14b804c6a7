"""One local Nanode: start it, give it a key, tell Ansible where it is, remove it again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from controller.nanode import NanodeError
from controller.nanode.host import Engine, Host, free_port, port_is_free, ulimit_arguments

MEMORY = "1g"
LABEL = "tox_com_det.checkout"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key.pub"
BOOT_SECONDS = 60


@dataclass(frozen=True)
class Instance:
    """A local Nanode as Ansible sees it.

    Attributes:
        name: its name in the inventory.
        container: its name in the engine, of its own for every checkout.
        http_port: loopback TCP port that leads to port 80.
        ssh_port: loopback TCP port that leads to port 22.
    """

    name: str
    container: str
    http_port: int
    ssh_port: int


def container_name(name: str, checkout: Path) -> str:
    """Two checkouts on one host do not meet in one container."""
    return f"tox-com-det-{name}-{hashlib.sha256(str(checkout).encode()).hexdigest()[:6]}"


def run_command(
    engine: Engine,
    host: Host,
    instance: Instance,
    image: str,
    checkout: Path,
    volumes: tuple[str, ...] = (),
    capabilities: tuple[str, ...] = (),
) -> list:
    """The engine's command that starts the container with systemd as PID 1.

    SYS_ADMIN lets systemd apply the sandbox of its units (it drops it in silence otherwise),
    NET_ADMIN and NET_RAW let firewalld set its rules. Memory without swap on top: 1 GiB is 1 GiB.
    `volumes` are the engine's own words, HOST:CONTAINER[:OPTIONS]; `capabilities` come on top.
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
        f"--publish=127.0.0.1:{instance.http_port}:80",
        f"--publish=127.0.0.1:{instance.ssh_port}:22",
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


def inventory_text(instance: Instance, state: Path) -> str:
    """The generated inventory file: JSON, which is YAML, so that no path needs quoting by hand."""
    host = {
        "ansible_host": "127.0.0.1",
        "ansible_port": instance.ssh_port,
        "ansible_ssh_private_key_file": str(state / "id_ed25519"),
        "ansible_ssh_common_args": (
            f"-o UserKnownHostsFile={state / 'known_hosts'} -o StrictHostKeyChecking=yes"
            " -o IdentitiesOnly=yes"
        ),
        "nginx_public_url": f"http://127.0.0.1:{instance.http_port}",
    }
    document = {"tox_com_det": {"hosts": {instance.name: host}}}
    return "# Written by `python -m controller.nanode create`; gone with the local Nanode.\n" + (
        json.dumps(document, indent=2) + "\n"
    )


def create(
    engine: Engine,
    host: Host,
    image: str,
    *,
    name: str,
    checkout: Path,
    state: Path,
    inventory: Path,
    say: Callable[[str], None],
    volumes: tuple[str, ...] = (),
    capabilities: tuple[str, ...] = (),
) -> Instance:
    """Start the local Nanode, or leave it alone where it already runs.

    Args:
        engine: the container engine.
        host: facts of this host.
        image: name of an image that is here.
        name: the host's name in the inventory.
        checkout: the checkout that it belongs to.
        state: directory for its key, known_hosts and instance.json.
        inventory: file to write for Ansible.
        say: receives one line per step.
        volumes: directories of this host that it sees, HOST:CONTAINER[:OPTIONS].
        capabilities: what its system needs on top of those that all have.

    Raises:
        NanodeError: a port that was asked for is taken, or the container does not come up.
    """
    container = container_name(name, checkout)
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = _recorded(state)
    status = _status(engine, container)
    if found and found.container == container and status:
        if status != "running":
            say(f"Starting {container} again ...")
            _must(engine.command("start", container), "it does not start")
        instance = found
    else:
        if status:
            _must(engine.command("rm", "--force", "--volumes", container), "it cannot be removed")
        instance = Instance(
            name, container, _port("NANODE_HTTP_PORT", 8080), _port("NANODE_SSH_PORT", 2222)
        )
        say(f"Starting {container}: systemd as PID 1, 1 GiB of memory ...")
        command = run_command(engine, host, instance, image, checkout, volumes, capabilities)
        _must(command, "it does not start")
        (state / "instance.json").write_text(json.dumps(asdict(instance), indent=2) + "\n")
    _wait_for_boot(engine, container)
    _give_key(engine, instance, state)
    inventory.parent.mkdir(parents=True, exist_ok=True)
    inventory.write_text(inventory_text(instance, state))
    _wait_for_ssh(instance, state)
    say(f"{name} answers: ssh on 127.0.0.1:{instance.ssh_port}, http on {instance.http_port}")
    return instance


def destroy(
    engine: Engine, *, name: str, checkout: Path, state: Path, inventory: Path
) -> list[str]:
    """Remove the container, its key and its inventory; what was not there is not an error.

    Returns:
        What was removed, one line each.
    """
    removed = []
    container = container_name(name, checkout)
    if _status(engine, container):
        _must(
            engine.command("rm", "--force", "--time=5", "--volumes", container)
            if engine.name == "podman"
            else engine.command("rm", "--force", "--volumes", container),
            "it cannot be removed",
        )
        removed.append(f"container {container}")
    if inventory.exists():
        inventory.unlink()
        removed.append(str(inventory))
    if state.exists():
        shutil.rmtree(state)
        removed.append(str(state))
    return removed


def _port(variable: str, preferred: int) -> int:
    asked = os.environ.get(variable)
    if asked is None:
        return free_port(preferred)
    if not asked.isdigit() or not 0 < int(asked) < 65536:
        raise NanodeError(f"{variable}={asked} is not a TCP port: give a number from 1 to 65535")
    if not port_is_free(int(asked)):
        raise NanodeError(
            f"port {asked} on 127.0.0.1 is taken: set {variable} to another one, or leave it out"
        )
    return int(asked)


def recorded(state: Path) -> Instance:
    """The instance whose records are in `state`.

    Raises:
        NanodeError: there is none.
    """
    found = _recorded(state)
    if found is None:
        raise NanodeError(f"{state} holds no local Nanode: make one with 'make up'")
    return found


def _recorded(state: Path) -> Instance | None:
    try:
        return Instance(**json.loads((state / "instance.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _status(engine: Engine, container: str) -> str | None:
    done = _run(engine.command("container", "inspect", "--format={{.State.Status}}", container))
    return done.stdout.strip() if done.returncode == 0 else None


def _wait_for_boot(engine: Engine, container: str) -> None:
    deadline = time.monotonic() + BOOT_SECONDS
    state = "no answer"
    while time.monotonic() < deadline:
        done = _run(engine.command("exec", container, "systemctl", "is-system-running"))
        state = done.stdout.strip() or (done.stderr.strip().splitlines() or [state])[-1]
        # "degraded" boots as well: some unit of the distribution does not suit a container.
        if state in ("running", "degraded"):
            return
        time.sleep(0.2)
    raise NanodeError(
        f"systemd did not boot within {BOOT_SECONDS} s (it says {state!r}): "
        f"look at '{' '.join(engine.command('logs', container))}'"
    )


def _give_key(engine: Engine, instance: Instance, state: Path) -> None:
    key = state / "id_ed25519"
    if not key.exists():
        _must(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", instance.container, "-f", key],
            "no key can be made",
        )
    script = (
        "set -e; umask 077; mkdir -p /root/.ssh; cat > /root/.ssh/authorized_keys; "
        # sshd gave up without a host key at the first boot: systemd has to forget that it did.
        "unit=ssh; if [ -e /usr/lib/systemd/system/sshd.service ]; then unit=sshd; fi; "
        f"[ -e {HOST_KEY} ] || {{ ssh-keygen -A >/dev/null; systemctl reset-failed $unit; "
        "systemctl restart $unit; }; "
        f"cat {HOST_KEY}"
    )
    public = Path(f"{key}.pub").read_text()
    shown = _must(
        engine.command("exec", "--interactive", instance.container, "sh", "-c", script),
        "it takes no key",
        stdin=public,
    )
    # The key came over the engine, not over the network: the first connection is a known one.
    kind, blob = shown.split()[:2]
    (state / "known_hosts").write_text(f"[127.0.0.1]:{instance.ssh_port} {kind} {blob}\n")


def _wait_for_ssh(instance: Instance, state: Path) -> None:
    if shutil.which("ssh") is None:
        raise NanodeError("ssh is not here: install openssh-client, then run 'make up' again")
    command = ["ssh", "-p", str(instance.ssh_port), "-i", str(state / "id_ed25519")]
    for option in (
        f"UserKnownHostsFile={state / 'known_hosts'}",
        "StrictHostKeyChecking=yes",
        "IdentitiesOnly=yes",
        "BatchMode=yes",
        "ConnectTimeout=5",
    ):
        command += ["-o", option]
    deadline = time.monotonic() + BOOT_SECONDS
    while True:
        # root until bootstrap.yml has made the sudo user and, one day, closed root's way in:
        # sshd's own answer is what counts, not who may log in.
        done = _run([*command, "root@127.0.0.1", "true"])
        if done.returncode == 0 or "Permission denied" in done.stderr:
            return
        if time.monotonic() > deadline:
            reason = (done.stderr.strip().splitlines() or ["no answer"])[-1]
            raise NanodeError(f"sshd on 127.0.0.1:{instance.ssh_port} does not answer: {reason}")
        time.sleep(0.3)


def _run(command: list, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 (commands are built here)
        [str(word) for word in command],
        input=stdin or "",
        capture_output=True,
        text=True,
        check=False,
    )


def _must(command: list, complaint: str, stdin: str | None = None) -> str:
    done = _run(command, stdin)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise NanodeError(f"{complaint}: {reason}; try '{' '.join(str(word) for word in command)}'")
    return done.stdout
