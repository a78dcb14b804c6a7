"""The image of the local Nanode: Debian with systemd, Python and sshd, cached by its recipe.

If a registry answers, the image is built on the distribution's own one; otherwise it is built from
Debian's packages with mmdebstrap. Both have the same packages.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from controller.nanode import NanodeError
from controller.nanode.engine import Engine, apt_install
from controller.nanode.run import last_line, must, run

REPOSITORY = "localhost/tox-com-det-nanode"
# The releases of Debian, the default first, and their names in its archive.
SUITES = {"debian13": "trixie", "debian12": "bookworm"}
PULL_SECONDS = 60
PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "python3",
    "python3-apt",
    "python3-setuptools",
    "sudo",
    "openssh-server",
    "iproute2",
    "ca-certificates",
    "curl",
    # /etc/protocols: without it firewalld fails with INVALID_PROTOCOL: esp
    "netbase",
)
# Certificate authorities added to this host; behind a proxy with an authority of its own, https
# fails in the container without them.
EXTRA_AUTHORITIES = Path("/usr/local/share/ca-certificates")
# Every instance generates its own host keys at its first start (nanode.lifecycle).
AFTER_INSTALL = "update-ca-certificates >/dev/null && rm -f /etc/ssh/ssh_host_*"


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what is in the image.

    Attributes:
        system: a release of `SUITES`.
        packages: Debian packages in addition to the minimal system.
        authorities: extra certificate authorities, file name and PEM text.
    """

    system: str
    packages: tuple[str, ...]
    authorities: tuple[tuple[str, bytes], ...]

    @property
    def suite(self) -> str:
        """The release's name in Debian's archive."""
        return SUITES[self.system]

    @property
    def base_image(self) -> str:
        """The registry's image of the release."""
        return f"docker.io/library/debian:{self.system.removeprefix('debian')}"

    def tag(self) -> str:
        """The image's name, different for every recipe."""
        digest = hashlib.sha256(repr((self.suite, self.packages, AFTER_INSTALL)).encode())
        for name, text in self.authorities:
            digest.update(name.encode() + b"\0" + text + b"\0")
        return f"{REPOSITORY}:{self.system}-{digest.hexdigest()[:12]}"


def read_recipe(system: str, authorities: Path = EXTRA_AUTHORITIES) -> Recipe:
    """The recipe of a release for this host."""
    return Recipe(
        system,
        PACKAGES,
        tuple((path.name, path.read_bytes()) for path in sorted(authorities.glob("*.crt"))),
    )


def containerfile(recipe: Recipe) -> str:
    """The build on top of the registry's image."""
    packages = " ".join(recipe.packages)
    return (
        f"FROM {recipe.base_image}\n"
        "COPY authorities/ /usr/local/share/ca-certificates/\n"
        "RUN apt-get update"
        f" && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends {packages}"
        f" && {AFTER_INSTALL} && apt-get clean && rm -rf /var/lib/apt/lists/*\n"
        "STOPSIGNAL SIGRTMIN+3\n"
        'CMD ["/sbin/init"]\n'
    )


def debootstrap_command(recipe: Recipe, authorities: Path, tarball: Path) -> list[str]:
    """The mmdebstrap command that writes the root file system as a tar file."""
    hooks = [
        f"--customize-hook=copy-in {authorities / name} /usr/local/share/ca-certificates"
        for name, _ in recipe.authorities
    ]
    return [
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        f"--include={','.join(recipe.packages)}",
        *hooks,
        f"--customize-hook=chroot \"$1\" sh -c '{AFTER_INSTALL}'",
        recipe.suite,
        str(tarball),
    ]


def ensure_image(engine: Engine, system: str, say: Callable[[str], None]) -> str:
    """The name of the image, which is built if this host does not have it yet.

    Args:
        engine: the container engine.
        system: a release of `SUITES`.
        say: receives one line per step.

    Raises:
        NanodeError: neither a registry nor Debian's packages are available.
    """
    recipe = read_recipe(system)
    tag = recipe.tag()
    if run(engine.command("image", "inspect", tag)).returncode == 0:
        return tag
    with tempfile.TemporaryDirectory(prefix="tox-com-det-image-") as directory:
        work = Path(directory)
        (work / "authorities").mkdir()
        for name, text in recipe.authorities:
            (work / "authorities" / name).write_bytes(text)
        if _from_registry(engine, recipe, tag, work, say):
            return tag
        _from_packages(engine, recipe, tag, work, say)
    return tag


def pull(engine: Engine, image: str, say: Callable[[str], None]) -> bool:
    """Pull an image from its registry; returns whether the registry had it."""
    say(f"Pulling {image} ...")
    try:
        pulled = run(engine.command("pull", "--quiet", image), timeout=PULL_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return pulled.returncode == 0


def _from_registry(
    engine: Engine, recipe: Recipe, tag: str, work: Path, say: Callable[[str], None]
) -> bool:
    if not pull(engine, recipe.base_image, say):
        say("No registry answers.")
        return False
    (work / "Containerfile").write_text(containerfile(recipe))
    say("Building the image of the local Nanode on top of it ...")
    command = engine.command("build", "-t", tag, "-f", str(work / "Containerfile"), str(work))
    built = run(command)
    if built.returncode:
        raise NanodeError(
            f"building the image {tag} failed: {last_line(built)}: "
            "check that Debian's package mirror is reachable, then rerun 'make up'"
        )
    return True


def _from_packages(
    engine: Engine, recipe: Recipe, tag: str, work: Path, say: Callable[[str], None]
) -> None:
    if shutil.which("mmdebstrap") is None:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise NanodeError(
                f"{recipe.base_image} cannot be pulled, and mmdebstrap, which builds an image from "
                "Debian's packages, is not installed: run 'sudo apt-get install mmdebstrap', then "
                "rerun 'make up'"
            )
        apt_install(("mmdebstrap",))
    say("Building the image from Debian's packages (about a minute, once) ...")
    tarball = work / "root.tar"
    made = run(debootstrap_command(recipe, work / "authorities", tarball))
    if made.returncode:
        raise NanodeError(
            f"mmdebstrap failed: {last_line(made)}: check that Debian's package mirror is "
            "reachable, then rerun 'make up'"
        )
    changes = ["--change", 'CMD ["/sbin/init"]']
    if engine.name == "podman":
        changes += ["--change", "STOPSIGNAL SIGRTMIN+3"]
    must(
        engine.command("import", *changes, str(tarball), tag),
        f"{engine.name} cannot import the image",
    )
