"""Nanodes whose image is one of this host's own, or is built on the image of a registry."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from controller.nanode import NanodeError, NoContainerError
from controller.nanode.engine import Engine
from controller.nanode.host import Host
from controller.nanode.image import EXTRA_AUTHORITIES, REPOSITORY, pull
from controller.nanode.run import last_line, run


def any_host(host: Host) -> None:
    """Accept every host that can run a container."""


@dataclass(frozen=True)
class RegistrySystem:
    """A system without Debian's packages, and how its image is built on the registry's.

    Attributes:
        name: its name on the command line; also the tag of the built image.
        title: its name in messages.
        base_image: the registry's image, which lacks what a provider's image has.
        source: where the packages come from, for the message of a failed build.
        steps: shell commands that install them.
        files: name and text of the files that the steps need, copied to /.
        authorities: directory of the system for certificates of further authorities.
        capabilities: of the container, in addition to those that every system needs.
        require_host: raises NoContainerError for a host on which it cannot boot.
    """

    name: str
    title: str
    base_image: str
    source: str
    steps: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    authorities: str = "/etc/pki/ca-trust/source/anchors/"
    capabilities: tuple[str, ...] = ()
    require_host: Callable[[Host], None] = any_host

    @property
    def built_image(self) -> str:
        """The name of the image that is built."""
        return f"{REPOSITORY}:{self.name}"

    @property
    def image_variable(self) -> str:
        """The environment variable that names an image on this host in place of it."""
        return f"NANODE_{self.name.upper()}_IMAGE"

    def containerfile(self) -> str:
        """The build on top of the registry's image."""
        return (
            f"FROM {self.base_image}\n"
            f"COPY authorities/ {self.authorities}\n"
            + "".join(f"COPY {name} /\n" for name in self.files)
            + f"RUN {' && '.join(self.steps)}\n"
            "STOPSIGNAL SIGRTMIN+3\n"
            'CMD ["/usr/sbin/init"]\n'
        )


def ensure_image(
    system: RegistrySystem, engine: Engine, requested: str | None, say: Callable[[str], None]
) -> str:
    """The name of an image with the system: the requested one, or one on top of the registry's.

    Args:
        system: what the image has to contain.
        engine: the container engine.
        requested: an image on this host (`--image`, or its variable if None).
        say: receives one line per step.

    Raises:
        NoContainerError: there is no such image, and the registry does not answer.
        NanodeError: building the image failed.
    """
    variable = system.image_variable
    requested = requested or os.environ.get(variable)
    image = requested or system.built_image
    if run(engine.command("image", "inspect", image)).returncode == 0:
        return image
    if requested:
        raise NoContainerError(
            f"there is no image {requested} on this host", f"import it, or unset {variable}"
        )
    if not pull(engine, system.base_image, say):
        raise NoContainerError(
            f"there is no {system.title} image on this host and no registry has "
            f"{system.base_image}",
            f"set {variable} to an image on this host",
        )
    with tempfile.TemporaryDirectory(prefix=f"tox-com-det-{system.name}-") as directory:
        work = Path(directory)
        (work / "authorities").mkdir()
        for path in EXTRA_AUTHORITIES.glob("*.crt"):
            (work / "authorities" / path.name).write_bytes(path.read_bytes())
        for name, text in system.files.items():
            (work / name).write_text(text)
        (work / "Containerfile").write_text(system.containerfile())
        say(f"Building the image of the {system.title} Nanode on top of it ...")
        built = run(engine.command("build", "-t", image, str(work)))
    if built.returncode:
        raise NanodeError(
            f"building the image {image} failed: {last_line(built)}: check that {system.source} is "
            "reachable, then try again"
        )
    return image
