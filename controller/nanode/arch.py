"""The image of a Nanode with Arch Linux."""

from __future__ import annotations

from controller.nanode.registry import RegistrySystem

# What the registry's image lacks of a provider's, and the Python that Ansible needs.
PACKAGES = ("openssh", "sudo", "python", "iproute2")

ARCH = RegistrySystem(
    name="arch",
    title="Arch Linux",
    base_image="docker.io/archlinux/archlinux:base",
    source="a mirror of Arch Linux",
    authorities="/etc/ca-certificates/trust-source/anchors/",
    steps=(
        "update-ca-trust",
        f"pacman -Syu --noconfirm --needed {' '.join(PACKAGES)}",
        "systemctl enable sshd.service",
        "rm -rf /var/cache/pacman/pkg/* /var/lib/pacman/sync/* /etc/ssh/ssh_host_*",
    ),
)
