"""The image of an EL9 Nanode (Rocky Linux 9)."""

from __future__ import annotations

from controller.nanode.registry import RegistrySystem

# What a provider's image has in addition to the registry's image.
PACKAGES = ("systemd", "openssh-server", "openssh-clients", "sudo", "iproute")

EL9 = RegistrySystem(
    name="el9",
    title="EL9",
    base_image="docker.io/rockylinux/rockylinux:9",
    source="a mirror of Rocky Linux",
    steps=(
        "update-ca-trust",
        f"dnf -y install {' '.join(PACKAGES)}",
        "systemctl enable sshd.service",
        "dnf clean all",
        "rm -rf /var/cache/dnf /etc/ssh/ssh_host_*",
    ),
)
