"""What this host offers a container: an engine, a runtime, limits, cgroup mounts and free ports."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from controller.nanode import NanodeError, NoContainerError
from controller.nanode.abilities import (
    Abilities,
    Lack,
    has_capability,
    inspect_abilities,
    missing_for,
)

# Debian 12, --no-install-recommends: what a container needs to run and to have published ports.
# netavark calls iptables to publish a port and does not depend on it.
ENGINE_PACKAGES = (
    "podman",
    "runc",
    "netavark",
    "aardvark-dns",
    "iptables",
    "iproute2",
    "uidmap",
)
NOFILE_WANTED = 65536
# conmon itself holds 32768 processes at most; a container that asks for more does not start.
NPROC_WANTED = 32768
CAP_SYS_RESOURCE = 24


@dataclass(frozen=True)
class Host:
    """Facts of the host that decide how a container is started.

    Attributes:
        hybrid_cgroups: cgroup v1 with a v2 tree beside it, which crun refuses.
        writable_cgroups: v1 controllers that have to be mounted for systemd to enforce limits.
        nofile_hard: hard limit of open files of the calling process.
        nproc_hard: hard limit of processes of the calling process.
        may_raise_limits: whether the caller may go above its own hard limits.
    """

    hybrid_cgroups: bool
    writable_cgroups: tuple[str, ...]
    nofile_hard: int
    nproc_hard: int
    may_raise_limits: bool


@dataclass(frozen=True)
class Engine:
    """A container engine on this host.

    Attributes:
        name: `podman` or `docker`.
        global_arguments: arguments that stand before the engine's own command.
    """

    name: str
    global_arguments: tuple[str, ...] = ()

    def command(self, *arguments: str) -> list[str]:
        """The argument vector of one engine command."""
        return [self.name, *self.global_arguments, *arguments]


def inspect_host(cgroup_root: Path = Path("/sys/fs/cgroup")) -> Host:
    """Read the facts of this host."""
    nofile = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    nproc = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    unlimited = resource.RLIM_INFINITY
    return Host(
        hybrid_cgroups=(cgroup_root / "unified").is_dir(),
        writable_cgroups=tuple(
            str(cgroup_root / name)
            for name in ("memory", "pids")
            if (cgroup_root / name).is_dir() and not (cgroup_root / "cgroup.controllers").exists()
        ),
        nofile_hard=sys.maxsize if nofile == unlimited else nofile,
        nproc_hard=sys.maxsize if nproc == unlimited else nproc,
        may_raise_limits=has_capability(CAP_SYS_RESOURCE),
    )


def ulimit_arguments(host: Host) -> list[str]:
    """`--ulimit` options that never ask for more than the caller may give.

    An engine gives a container generous limits of its own accord, and the start fails where these
    are above the caller's hard ones and CAP_SYS_RESOURCE is missing.
    """
    if host.may_raise_limits:
        return []
    nofile = min(host.nofile_hard, NOFILE_WANTED)
    nproc = min(host.nproc_hard, NPROC_WANTED)
    return [f"--ulimit=nofile={nofile}:{nofile}", f"--ulimit=nproc={nproc}:{nproc}"]


def find_engine(host: Host, wanted: str | None = None) -> Engine:
    """The first engine that can run a container here, podman before docker.

    Where the engine alone is missing, and this is root on Debian, podman is installed.

    Args:
        host: facts of this host.
        wanted: name of the engine to use (`NANODE_ENGINE`), or None for the first that can.

    Raises:
        NoContainerError: no container can run here; names the ability that is missing.
        NanodeError: there is no such engine.
    """
    names = (wanted,) if wanted else ("podman", "docker")
    for name in names:
        if name not in ("podman", "docker"):
            raise NanodeError(f"engine {name!r} is unknown: set NANODE_ENGINE to podman or docker")
    abilities = inspect_abilities(names)
    name = _able(names, abilities)
    if name is None and "podman" in names and _can_install() and not _without_the_engine(abilities):
        try:
            _install()
        except NanodeError as error:
            raise NoContainerError(
                f"there is no container engine and none can be installed ({error})",
                "look at this system's package sources",
            ) from error
        abilities = inspect_abilities(names)
        name = _able(names, abilities)
    if name is None:
        raise why_none(names, abilities)
    return _engine(name, host)


def why_none(names: tuple[str, ...], abilities: Abilities) -> NoContainerError:
    """Why none of these engines can run a container, and what to type."""
    here = [name for name in names if name in abilities.engines]
    nothing_but = _without_the_engine(abilities)
    if not here and abilities.root and nothing_but is not None:
        reason, remedy = nothing_but.what, nothing_but.remedy
    elif not here:
        who = "" if abilities.root else f" and {abilities.user} is not root, who could install one"
        reason = f"there is no container engine (tried {' and '.join(names)}){who}"
        remedy = f"run '{install_command()}' and 'make up' again"
    else:
        missing = [missing_for(name, abilities) for name in here]
        reason = "; ".join(lack.what for lack in missing if lack)
        remedy = next(lack.remedy for lack in missing if lack)
    return NoContainerError(reason, remedy)


def _able(names: tuple[str, ...], abilities: Abilities) -> str | None:
    for name in names:
        if name in abilities.engines and missing_for(name, abilities) is None:
            return name
    return None


def _without_the_engine(abilities: Abilities) -> Lack | None:
    """What a podman that is installed and answers would lack here."""
    return missing_for("podman", replace(abilities, engines={"podman": None}))


def _engine(name: str, host: Host) -> Engine:
    runtime = ("--runtime=runc",) if name == "podman" and host.hybrid_cgroups else ()
    return Engine(name, runtime)


def _can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_command() -> str:
    """What to type on this system to get podman."""
    for tool, command in (
        ("apt-get", "apt-get install --no-install-recommends " + " ".join(ENGINE_PACKAGES)),
        ("dnf", "dnf install podman"),
        ("pacman", "pacman -S podman"),
        ("zypper", "zypper install podman"),
        ("brew", "brew install podman && podman machine init --rootful && podman machine start"),
    ):
        if shutil.which(tool):
            return command if os.geteuid() == 0 or tool == "brew" else f"sudo {command}"
    return "see https://podman.io/docs/installation"


def _install() -> None:
    print("No container engine here: installing podman from Debian's packages ...", flush=True)
    apt_install(ENGINE_PACKAGES)


def apt_install(packages: tuple[str, ...]) -> None:
    """Install Debian packages on this host, as root.

    Raises:
        NanodeError: apt-get failed.
    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "-qq", "update"],
        ["apt-get", "-qq", "install", "--yes", "--no-install-recommends", *packages],
    ):
        done = subprocess.run(  # noqa: S603 (fixed names)
            command, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise NanodeError(f"'{' '.join(command)}' failed: {reason}")


def free_port(preferred: int, attempts: int = 200) -> int:
    """The first free loopback TCP port at or above `preferred`.

    Raises:
        NanodeError: none of the next `attempts` ports is free.
    """
    for port in range(preferred, preferred + attempts):
        if port_is_free(port):
            return port
    raise NanodeError(
        f"no free port between {preferred} and {preferred + attempts - 1} on 127.0.0.1: "
        "name one with NANODE_HTTP_PORT or NANODE_SSH_PORT"
    )


def port_is_free(port: int) -> bool:
    """Whether nothing listens on this loopback TCP port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
