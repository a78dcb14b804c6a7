"""The image of the local Nanode: Debian 12 with systemd, Python and sshd, cached by its recipe.

Where a registry answers, the distribution's own image is the base; elsewhere the image is made
from Debian's packages with mmdebstrap. Both ways end in the same package list.
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
from controller.nanode.host import Engine, apt_install

REPOSITORY = "localhost/tox-com-det-nanode"
BASE_IMAGE = "docker.io/library/debian:12"
SUITE = "bookworm"
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
    # /etc/protocols: without it firewalld dies with INVALID_PROTOCOL: esp
    "netbase",
)
# Certificate authorities that this host's owner added; without them https fails from inside on a
# network with an authority of its own.
EXTRA_AUTHORITIES = Path("/usr/local/share/ca-certificates")
# Every instance makes its own host keys at its first start (nanode.instance).
AFTER_INSTALL = "update-ca-certificates >/dev/null && rm -f /etc/ssh/ssh_host_*"


@dataclass(frozen=True)
class Recipe:
    """All that decides what is in the image.

    Attributes:
        packages: Debian packages on top of the smallest root.
        authorities: extra certificate authorities, file name and PEM text.
    """

    packages: tuple[str, ...]
    authorities: tuple[tuple[str, bytes], ...]

    def tag(self) -> str:
        """The image's name; another recipe has another name."""
        digest = hashlib.sha256(repr((SUITE, self.packages, AFTER_INSTALL)).encode())
        for name, text in self.authorities:
            digest.update(name.encode() + b"\0" + text + b"\0")
        return f"{REPOSITORY}:debian12-{digest.hexdigest()[:12]}"


def read_recipe(authorities: Path = EXTRA_AUTHORITIES) -> Recipe:
    """The recipe for this host."""
    return Recipe(
        PACKAGES,
        tuple((path.name, path.read_bytes()) for path in sorted(authorities.glob("*.crt"))),
    )


def containerfile() -> str:
    """The build on top of a registry's base image."""
    packages = " ".join(PACKAGES)
    return (
        f"FROM {BASE_IMAGE}\n"
        "COPY authorities/ /usr/local/share/ca-certificates/\n"
        "RUN apt-get update"
        f" && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends {packages}"
        f" && {AFTER_INSTALL} && apt-get clean && rm -rf /var/lib/apt/lists/*\n"
        "STOPSIGNAL SIGRTMIN+3\n"
        'CMD ["/sbin/init"]\n'
    )


def debootstrap_command(recipe: Recipe, authorities: Path, tarball: Path) -> list[str]:
    """The mmdebstrap command that makes the root as a tar file."""
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
        SUITE,
        str(tarball),
    ]


def ensure_image(engine: Engine, say: Callable[[str], None]) -> str:
    """The name of the image, made if this host does not have it yet.

    Raises:
        NanodeError: neither a registry nor Debian's packages can be had from here.
    """
    recipe = read_recipe()
    tag = recipe.tag()
    if _run(engine.command("image", "inspect", tag)).returncode == 0:
        return tag
    with tempfile.TemporaryDirectory(prefix="tox-com-det-image-") as directory:
        work = Path(directory)
        (work / "authorities").mkdir()
        for name, text in recipe.authorities:
            (work / "authorities" / name).write_bytes(text)
        if _from_registry(engine, tag, work, say):
            return tag
        _from_packages(engine, recipe, tag, work, say)
    return tag


def _from_registry(engine: Engine, tag: str, work: Path, say: Callable[[str], None]) -> bool:
    say(f"Asking a registry for {BASE_IMAGE} ...")
    try:
        pulled = _run(engine.command("pull", "--quiet", BASE_IMAGE), timeout=PULL_SECONDS)
    except subprocess.TimeoutExpired:
        pulled = None
    if pulled is None or pulled.returncode:
        say("No registry answers.")
        return False
    (work / "Containerfile").write_text(containerfile())
    say("Building the image on top of it ...")
    command = engine.command("build", "-t", tag, "-f", str(work / "Containerfile"), str(work))
    built = _run(command)
    if built.returncode:
        raise NanodeError(
            f"the image does not build: {_last_line(built)}; run '{' '.join(command)}'"
        )
    return True


def _from_packages(
    engine: Engine, recipe: Recipe, tag: str, work: Path, say: Callable[[str], None]
) -> None:
    if shutil.which("mmdebstrap") is None:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise NanodeError(
                f"{BASE_IMAGE} cannot be pulled and mmdebstrap is not here to make an image from "
                "Debian's packages: run 'sudo apt-get install mmdebstrap', then 'make up' again"
            )
        apt_install(("mmdebstrap",))
    say("Making the image from Debian's packages (about a minute, once) ...")
    tarball = work / "root.tar"
    made = _run(debootstrap_command(recipe, work / "authorities", tarball))
    if made.returncode:
        raise NanodeError(f"mmdebstrap failed: {_last_line(made)}; is Debian's mirror reachable?")
    changes = ["--change", 'CMD ["/sbin/init"]']
    if engine.name == "podman":
        changes += ["--change", "STOPSIGNAL SIGRTMIN+3"]
    imported = _run(engine.command("import", *changes, str(tarball), tag))
    if imported.returncode:
        raise NanodeError(f"{engine.name} cannot import the image: {_last_line(imported)}")


def _run(command: list[str], timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 (commands are built here)
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip().splitlines() or ["no reason given"])[-1]
