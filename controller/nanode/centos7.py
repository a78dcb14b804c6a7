"""The image of a CentOS 7 Nanode, and whether this host can boot it at all."""

from __future__ import annotations

from controller.nanode import NoContainerError
from controller.nanode.host import Host
from controller.nanode.registry import RegistrySystem

VAULT = "https://vault.centos.org/7.9.2009"
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


# The image's own repositories, whose mirrors no longer exist, are restored at the end: fixing them
# is the task of the roles, as on a server.
CENTOS7 = RegistrySystem(
    name="centos7",
    title="CentOS 7",
    base_image="docker.io/library/centos:7",
    source=VAULT,
    files={REPOSITORY_FILE: repository()},
    steps=(
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
    ),
    # systemd 219 creates the device nodes of PrivateDevices= itself; without this capability it
    # silently omits the whole sandbox of the unit.
    capabilities=("MKNOD",),
    require_host=require_cgroup_v1,
)
