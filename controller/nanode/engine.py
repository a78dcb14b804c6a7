"""Find the container engine of this host, and install podman on Debian where none is installed."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace

from controller.nanode import NanodeError, NoContainerError
from controller.nanode.abilities import Abilities, Lack, inspect_abilities, missing_for
from controller.nanode.host import Host
from controller.nanode.run import last_line, run

NAMES = ("podman", "docker")
# Debian 12, --no-install-recommends: what a container needs to run and to publish ports.
# netavark calls iptables to publish a port, but does not depend on it.
PACKAGES = (
    "podman",
    "runc",
    "netavark",
    "aardvark-dns",
    "iptables",
    "iproute2",
    "uidmap",
)


@dataclass(frozen=True)
class Engine:
    """A container engine of this host.

    Attributes:
        name: `podman` or `docker`.
        global_arguments: arguments before the engine's own command.
    """

    name: str
    global_arguments: tuple[str, ...] = ()

    def command(self, *arguments: str) -> list[str]:
        """The argument list of one engine command."""
        return [self.name, *self.global_arguments, *arguments]


def find_engine(host: Host, requested: str | None = None) -> Engine:
    """The first engine that can run a container on this host, podman before docker.

    If only the engine is missing, and this is root on Debian, podman is installed.

    Args:
        host: facts of this host.
        requested: name of the engine to use (`NANODE_ENGINE`), None for the first that can.

    Raises:
        NoContainerError: no container can run; names the missing ability.
        NanodeError: there is no engine of the requested name.
    """
    names = (requested,) if requested else NAMES
    for name in names:
        if name not in NAMES:
            raise NanodeError(f"engine {name!r} is unknown: set NANODE_ENGINE to podman or docker")
    abilities = inspect_abilities(names)
    chosen = _first_able(names, abilities)
    if chosen is None and "podman" in names and _can_install() and not _other_lack(abilities):
        try:
            _install()
        except NanodeError as error:
            raise NoContainerError(
                f"no container engine is installed and installing podman failed ({error})",
                "check this system's package sources",
            ) from error
        abilities = inspect_abilities(names)
        chosen = _first_able(names, abilities)
    if chosen is None:
        raise why_none(names, abilities)
    return _engine(chosen, host)


def why_none(names: tuple[str, ...], abilities: Abilities) -> NoContainerError:
    """The error that says why none of these engines can run a container, with the remedy."""
    installed = [name for name in names if name in abilities.engines]
    other = _other_lack(abilities)
    if not installed and abilities.root and other is not None:
        reason, remedy = other.what, other.remedy
    elif not installed:
        user = (
            "" if abilities.root else f", and {abilities.user} is not root and cannot install one"
        )
        reason = f"no container engine is installed (tried {' and '.join(names)}){user}"
        remedy = f"run '{install_command()}', then rerun 'make up'"
    else:
        missing = [missing_for(name, abilities) for name in installed]
        reason = "; ".join(lack.what for lack in missing if lack)
        remedy = next(lack.remedy for lack in missing if lack)
    return NoContainerError(reason, remedy)


def install_command() -> str:
    """The command that installs podman on this system."""
    for tool, command in (
        ("apt-get", "apt-get install --no-install-recommends " + " ".join(PACKAGES)),
        ("dnf", "dnf install podman"),
        ("pacman", "pacman -S podman"),
        ("zypper", "zypper install podman"),
        ("brew", "brew install podman && podman machine init --rootful && podman machine start"),
    ):
        if shutil.which(tool):
            return command if os.geteuid() == 0 or tool == "brew" else f"sudo {command}"
    return "see https://podman.io/docs/installation"


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
        done = run(command, environment=environment)
        if done.returncode:
            raise NanodeError(f"'{' '.join(command)}' failed: {last_line(done)}")


def _first_able(names: tuple[str, ...], abilities: Abilities) -> str | None:
    for name in names:
        if name in abilities.engines and missing_for(name, abilities) is None:
            return name
    return None


def _other_lack(abilities: Abilities) -> Lack | None:
    """What would still be missing on this host if podman was installed and answered."""
    return missing_for("podman", replace(abilities, engines={"podman": None}))


def _engine(name: str, host: Host) -> Engine:
    runtime = ("--runtime=runc",) if name == "podman" and host.hybrid_cgroups else ()
    return Engine(name, runtime)


def _can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _install() -> None:
    print("No container engine is installed: installing podman from Debian ...", flush=True)
    apt_install(PACKAGES)
