"""The image of a CentOS 7 Nanode, and whether this host can boot it at all."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from controller.nanode import NanodeError, NoContainerError
from controller.nanode.host import Engine, Host
from controller.nanode.image import EXTRA_AUTHORITIES, PULL_SECONDS

BASE_IMAGE = "docker.io/library/centos:7"
BUILT_IMAGE = "localhost/tox-com-det-nanode:centos7"
IMAGE_VARIABLE = "NANODE_CENTOS7_IMAGE"
VAULT = "https://vault.centos.org/7.9.2009"
# systemd 219 makes the device nodes of PrivateDevices= itself, and without leave to do so it drops
# the whole sandbox of the unit in silence.
CAPABILITIES = ("MKNOD",)
# What a provider's image has and the registry's has not.
PACKAGES = ("openssh-server", "openssh-clients", "sudo", "iproute", "initscripts")
RESTORED = "rm -rf /etc/yum.repos.d && mv /etc/yum.repos.d.orig /etc/yum.repos.d"


def require_cgroup_v1(host: Host) -> None:
    """Refuse a host on which systemd 219 cannot be PID 1 of a container.

    Raises:
        NoContainerError: there is no cgroup v1 tree.
    """
    if not host.writable_cgroups:
        raise NoContainerError(
            "CentOS 7's systemd 219 boots only where the host has cgroup v1, and this one has not",
            "take a host with systemd.unified_cgroup_hierarchy=0, or a virtual machine",
        )


def containerfile(vault: str = VAULT) -> str:
    """The build on top of the registry's image.

    The image's own repositories, whose mirrors are gone, are put back at the end: it is the roles'
    affair to mend them, as on a server.
    """
    lines = (
        "set -e",
        "mv /etc/yum.repos.d /etc/yum.repos.d.orig && mkdir /etc/yum.repos.d",
        *(
            f"printf '[{name}]\\nname={name}\\nbaseurl={vault}/{path}/$basearch/\\n"
            "gpgcheck=1\\ngpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-CentOS-7\\n' "
            ">>/etc/yum.repos.d/vault.repo"
            for name, path in (("base", "os"), ("updates", "updates"))
        ),
        "update-ca-trust",
        f"yum -y install {' '.join(PACKAGES)}",
        "yum clean all && rm -rf /var/cache/yum /etc/ssh/ssh_host_*",
        RESTORED,
    )
    return (
        f"FROM {BASE_IMAGE}\n"
        "COPY authorities/ /etc/pki/ca-trust/source/anchors/\n"
        f"RUN {'; '.join(lines)}\n"
        "STOPSIGNAL SIGRTMIN+3\n"
        'CMD ["/usr/sbin/init"]\n'
    )


def ensure_image(engine: Engine, asked: str | None, say: Callable[[str], None]) -> str:
    """The name of an image with CentOS 7: the one asked for, or one on top of the registry's.

    Args:
        engine: the container engine.
        asked: an image that is here (`--image`, `NANODE_CENTOS7_IMAGE`), or None.
        say: receives one line per step.

    Raises:
        NoContainerError: there is no such image and the registry does not answer.
        NanodeError: the image does not build.
    """
    asked = asked or os.environ.get(IMAGE_VARIABLE)
    image = asked or BUILT_IMAGE
    if _run(engine.command("image", "inspect", image)).returncode == 0:
        return image
    if asked:
        raise NoContainerError(
            f"there is no image {asked} here", f"import it, or leave {IMAGE_VARIABLE} out"
        )
    say(f"Asking a registry for {BASE_IMAGE} ...")
    try:
        pulled = _run(engine.command("pull", "--quiet", BASE_IMAGE), timeout=PULL_SECONDS)
    except subprocess.TimeoutExpired:
        pulled = None
    if pulled is None or pulled.returncode:
        raise NoContainerError(
            f"there is no image of CentOS 7 here and no registry has {BASE_IMAGE}",
            f"name one that is here with {IMAGE_VARIABLE}",
        )
    with tempfile.TemporaryDirectory(prefix="tox-com-det-centos7-") as directory:
        work = Path(directory)
        (work / "authorities").mkdir()
        for path in EXTRA_AUTHORITIES.glob("*.crt"):
            (work / "authorities" / path.name).write_bytes(path.read_bytes())
        (work / "Containerfile").write_text(containerfile())
        say("Building the image on top of it ...")
        built = _run(engine.command("build", "-t", image, str(work)))
    if built.returncode:
        reason = (built.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise NanodeError(f"the image does not build: {reason}; is {VAULT} reachable?")
    return image


def _run(command: list[str], timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 (commands are built here)
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )
