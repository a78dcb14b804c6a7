"""Create a local Nanode and destroy it: start, boot, SSH key, inventory."""

from __future__ import annotations

import os
import shutil
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from controller.nanode import NanodeError
from controller.nanode.engine import Engine
from controller.nanode.host import Host
from controller.nanode.instance import (
    Files,
    Instance,
    container_name,
    find_recorded,
    inventory_text,
    record,
    run_command,
    ssh_options,
)
from controller.nanode.run import last_line, must, run
from controller.ports import IN_USE, LOOPBACK, PortError, problem, requested_or_free

HOST_KEY = "/etc/ssh/ssh_host_ed25519_key.pub"
# The unit of sshd on EL; on Debian it is ssh.service.
SSHD_UNIT = "/usr/lib/systemd/system/sshd.service"
BOOT_SECONDS = 60
LOCAL_NANODE = "nanode"


def create(
    engine: Engine,
    host: Host,
    image: str,
    *,
    system: str,
    name: str,
    files: Files,
    say: Callable[[str], None],
    volumes: tuple[str, ...] = (),
    capabilities: tuple[str, ...] = (),
    network: str | None = None,
) -> Instance:
    """Start the local Nanode, or leave it as it is if it is running.

    Args:
        engine: the container engine.
        host: facts of this host.
        image: name of an image on this host.
        system: what the image is, for the record.
        name: the host's name in the inventory.
        files: where its files are.
        say: receives one line per step.
        volumes: directories of this host for the container, HOST:CONTAINER[:OPTIONS].
        capabilities: what its system needs in addition to what every system needs.
        network: of the engine, made if it is missing; None: the engine's default.

    Raises:
        NanodeError: a requested port is in use, or the container does not start.
    """
    container = container_name(name, files.checkout)
    files.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = find_recorded(files.state)
    status = _status(engine, container)
    if found and found.container == container and status:
        if status != "running":
            say(f"Starting {container} again ...")
            _start_again(engine, found)
        instance = found
    else:
        if status:
            must(
                engine.command("rm", "--force", "--volumes", container),
                f"{container} cannot be removed",
            )
        http, ssh = preferred_ports(name, container)
        instance = Instance(
            name,
            container,
            port("NANODE_HTTP_PORT", http),
            port("NANODE_SSH_PORT", ssh),
            system,
        )
        say(f"Starting {container}: systemd as PID 1, 1 GiB of memory ...")
        if network:
            _ensure_network(engine, network)
        command = run_command(
            engine, host, instance, image, files.checkout, volumes, capabilities, network
        )
        must(command, f"{container} does not start")
        record(instance, files.state)
    _wait_for_boot(engine, container)
    _authorize_key(engine, container, files.key)
    _trust_host_key(engine, instance, files.known_hosts)
    files.inventory.parent.mkdir(parents=True, exist_ok=True)
    files.inventory.write_text(inventory_text(instance, files))
    _wait_for_ssh(instance, files)
    say(f"{name} is ready: ssh on {LOOPBACK}:{instance.ssh_port}, http on {instance.http_port}")
    return instance


def require_same_system(files: Files, system: str) -> None:
    """Refuse to go on with a local Nanode that runs another system.

    Raises:
        NanodeError: there is one; names the commands that replace it.
    """
    found = find_recorded(files.state)
    if found is not None and found.system != system:
        raise NanodeError(
            f"{found.name} runs {found.system}, and {system} is requested: remove it with "
            "'make down' (a scenario's: molecule destroy), then rerun the command"
        )


def destroy(engine: Engine, *, name: str, files: Files, network: str | None = None) -> list[str]:
    """Remove the container, its key and its inventory, as far as they exist.

    Args:
        engine: the container engine.
        name: the host's name in the inventory.
        files: where its files are.
        network: removed as well, unless other containers use it.

    Returns:
        What was removed, one line each.
    """
    removed = []
    container = container_name(name, files.checkout)
    if _status(engine, container):
        grace = ["--time=5"] if engine.name == "podman" else []
        must(
            engine.command("rm", "--force", *grace, "--volumes", container),
            f"{container} cannot be removed",
        )
        removed.append(f"container {container}")
    if network and run(engine.command("network", "rm", network)).returncode == 0:
        removed.append(f"network {network}")
    if files.inventory.exists():
        files.inventory.unlink()
        removed.append(str(files.inventory))
    if files.state.exists():
        shutil.rmtree(files.state)
        removed.append(str(files.state))
    return removed


def port(variable: str, preferred: int) -> int:
    """The loopback port in an environment variable, or a free one.

    Raises:
        NanodeError: it is not a port, cannot be used, or none is free.
    """
    try:
        return requested_or_free(variable, os.environ.get(variable), preferred)
    except PortError as error:
        raise NanodeError(str(error)) from None


def preferred_ports(name: str, container: str) -> tuple[int, int]:
    """The ports for HTTP and SSH to try first.

    The local Nanode has those that the documentation names. A scenario's container has a pair of
    its own: while it is down, nobody who looks for a free port takes them.
    """
    if name == LOCAL_NANODE:
        return 8080, 2222
    # A search from the highest of each ends before the next range begins: 9200 for SSH, 10000 for
    # the programs that tests start. None from 8080 on, where others begin, gets to 8400.
    own = zlib.crc32(container.encode()) % 600
    return 8_400 + own, 9_200 + own


def _start_again(engine: Engine, stopped: Instance) -> None:
    try:
        must(engine.command("start", stopped.container), f"{stopped.container} does not start")
    except NanodeError:
        for used in (stopped.http_port, stopped.ssh_port):
            if problem(used) == IN_USE:
                raise NanodeError(
                    f"{stopped.container} does not start: port {used} on {LOOPBACK} {IN_USE}: end "
                    f"the process that has it (`ss -ltnp sport = :{used}`), or remove the "
                    "container with 'make down' (a scenario's: molecule destroy), so that a new "
                    "one takes free ports; then rerun the command"
                ) from None
        raise


def _ensure_network(engine: Engine, network: str) -> None:
    if run(engine.command("network", "inspect", network)).returncode != 0:
        must(engine.command("network", "create", network), f"network {network} cannot be made")


def _status(engine: Engine, container: str) -> str | None:
    done = run(engine.command("container", "inspect", "--format={{.State.Status}}", container))
    return done.stdout.strip() if done.returncode == 0 else None


def _wait_for_boot(engine: Engine, container: str) -> None:
    deadline = time.monotonic() + BOOT_SECONDS
    state = "no answer"
    while time.monotonic() < deadline:
        done = run(engine.command("exec", container, "systemctl", "is-system-running"))
        state = done.stdout.strip() or last_line(done, state)
        # "degraded" is booted too: some units of the distribution fail in a container.
        if state in ("running", "degraded"):
            return
        time.sleep(0.2)
    raise NanodeError(
        f"systemd in {container} did not boot within {BOOT_SECONDS} s (its state is {state!r}): "
        f"see '{' '.join(engine.command('logs', container))}'"
    )


def _authorize_key(engine: Engine, container: str, key: Path) -> None:
    """Make the key pair of this Nanode, if it has none, and allow root to log in with it."""
    if not key.exists():
        options = ["-q", "-t", "ed25519", "-N", "", "-C", container, "-f", str(key)]
        must(["ssh-keygen", *options], f"{key} cannot be created")
    failure = f"{container} does not accept an SSH key"
    directory = "/root/.ssh"
    file = f"{directory}/authorized_keys"
    must(engine.command("exec", container, "mkdir", "-p", "-m", "0700", directory), failure)
    must(
        engine.command("exec", "--interactive", container, "tee", file),
        failure,
        stdin=key.with_name(f"{key.name}.pub").read_text(),
    )
    must(engine.command("exec", container, "chmod", "0600", file), failure)


def _trust_host_key(engine: Engine, instance: Instance, known_hosts: Path) -> None:
    """Write known_hosts, with a host key that came through the engine, not over the network."""
    container = instance.container
    failure = f"{container} has no SSH host key"
    if run(engine.command("exec", container, "test", "-e", HOST_KEY)).returncode:
        must(engine.command("exec", container, "ssh-keygen", "-A"), failure)
        # sshd failed without a host key at the first boot, which systemd has to forget.
        is_el = run(engine.command("exec", container, "test", "-e", SSHD_UNIT)).returncode == 0
        unit = "sshd" if is_el else "ssh"
        for verb in ("reset-failed", "restart"):
            must(
                engine.command("exec", container, "systemctl", verb, unit),
                f"sshd in {container} does not start",
            )
    shown = must(engine.command("exec", container, "cat", HOST_KEY), failure)
    kind, blob = shown.split()[:2]
    known_hosts.write_text(f"[{LOOPBACK}]:{instance.ssh_port} {kind} {blob}\n")


def _wait_for_ssh(instance: Instance, files: Files) -> None:
    if shutil.which("ssh") is None:
        raise NanodeError("ssh is not installed: install openssh-client, then rerun 'make up'")
    command = ["ssh", "-p", str(instance.ssh_port), "-i", str(files.key)]
    for option in (*ssh_options(files), "BatchMode=yes", "ConnectTimeout=5"):
        command += ["-o", option]
    deadline = time.monotonic() + BOOT_SECONDS
    while True:
        # bootstrap.yml creates the sudo user and may disable root login afterwards, so a refusal
        # by sshd counts as an answer too.
        done = run([*command, f"root@{LOOPBACK}", "true"])
        if done.returncode == 0 or "Permission denied" in done.stderr:
            return
        if time.monotonic() > deadline:
            raise NanodeError(
                f"sshd on {LOOPBACK}:{instance.ssh_port} does not answer: "
                f"{last_line(done, 'no answer')}: "
                "run 'make down', then rerun 'make up'"
            )
        time.sleep(0.3)
