"""The image of a CentOS 7 Nanode, and whether this host can boot it at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from controller.nanode import NanodeError, NoContainerError
from controller.nanode.engine import Engine
from controller.nanode.host import Host
from controller.nanode.image import EXTRA_AUTHORITIES, pull
from controller.nanode.run import last_line, run

BASE_IMAGE = "docker.io/library/centos:7"
BUILT_IMAGE = "localhost/tox-com-det-nanode:centos7"
IMAGE_VARIABLE = "NANODE_CENTOS7_IMAGE"
VAULT = "https://vault.centos.org/7.9.2009"
# systemd 219 creates the device nodes of PrivateDevices= itself; without this capability it
# silently omits the whole sandbox of the unit.
CAPABILITIES = ("MKNOD",)
# What a provider's image has in addition to the registry's image.
PACKAGES = ("openssh-server", "openssh-clients", "sudo", "iproute", "initscripts")
REPOSITORY_FILE = "vault.repo"
RESTORE_REPOSITORIES = "rm -rf /etc/yum.repos.d && mv /etc/yum.repos.d.orig /etc/yum.repos.d"


def require_cgroup_v1(host: Host) -> None:
    """Refuse a host on which systemd 219 cannot be PID 1 of a container.

    Raises:
        NoContainerError: the host has no cgroup v1 tree.
    """
    if not host.writable_cgroups:
        raise NoContainerError(
            "CentOS 7's systemd 219 only boots on a host with cgroup v1, which this host lacks",
            "use a host with systemd.unified_cgroup_hierarchy=0, or a virtual machine",
        )


def repository(vault: str = VAULT) -> str:
    """The yum repositories from which the image's packages are installed."""
    return "".join(
        f"[{name}]\n"
        f"name={name}\n"
        f"baseurl={vault}/{path}/$basearch/\n"
        "gpgcheck=1\n"
        "gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-CentOS-7\n"
        for name, path in (("base", "os"), ("updates", "updates"))
    )


def containerfile() -> str:
    """The build on top of the registry's image.

    The image's own repositories, whose mirrors no longer exist, are restored at the end: fixing
    them is the task of the roles, as on a server.
    """
    steps = (
        "mv /etc/yum.repos.d /etc/yum.repos.d.orig",
        "mkdir /etc/yum.repos.d",
        f"mv /{REPOSITORY_FILE} /etc/yum.repos.d/",
        "update-ca-trust",
        f"yum -y install {' '.join(PACKAGES)}",
        # The installer writes it; without it network.service fails at boot.
        "touch /etc/sysconfig/network",
        "yum clean all",
        "rm -rf /var/cache/yum /etc/ssh/ssh_host_*",
        RESTORE_REPOSITORIES,
    )
    return (
        f"FROM {BASE_IMAGE}\n"
        "COPY authorities/ /etc/pki/ca-trust/source/anchors/\n"
        f"COPY {REPOSITORY_FILE} /\n"
        f"RUN {' && '.join(steps)}\n"
        "STOPSIGNAL SIGRTMIN+3\n"
        'CMD ["/usr/sbin/init"]\n'
    )


def ensure_image(engine: Engine, requested: str | None, say: Callable[[str], None]) -> str:
    """The name of an image with CentOS 7: the requested one, or one on top of the registry's.

    Args:
        engine: the container engine.
        requested: an image on this host (`--image`, `NANODE_CENTOS7_IMAGE`), or None.
        say: receives one line per step.

    Raises:
        NoContainerError: there is no such image, and the registry does not answer.
        NanodeError: building the image failed.
    """
    requested = requested or os.environ.get(IMAGE_VARIABLE)
    image = requested or BUILT_IMAGE
    if run(engine.command("image", "inspect", image)).returncode == 0:
        return image
    if requested:
        raise NoContainerError(
            f"there is no image {requested} on this host", f"import it, or unset {IMAGE_VARIABLE}"
        )
    if not pull(engine, BASE_IMAGE, say):
        raise NoContainerError(
            f"there is no CentOS 7 image on this host and no registry has {BASE_IMAGE}",
            f"set {IMAGE_VARIABLE} to an image on this host",
        )
    with tempfile.TemporaryDirectory(prefix="tox-com-det-centos7-") as directory:
        work = Path(directory)
        (work / "authorities").mkdir()
        for path in EXTRA_AUTHORITIES.glob("*.crt"):
            (work / "authorities" / path.name).write_bytes(path.read_bytes())
        (work / REPOSITORY_FILE).write_text(repository())
        (work / "Containerfile").write_text(containerfile())
        say("Building the image of the CentOS 7 Nanode on top of it ...")
        built = run(engine.command("build", "-t", image, str(work)))
    if built.returncode:
        raise NanodeError(
            f"building the image {image} failed: {last_line(built)}: check that {VAULT} is "
            "reachable, then try again"
        )
    return image
