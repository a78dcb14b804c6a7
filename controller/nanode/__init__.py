"""The local Nanode: a container with systemd, sshd and 1 GiB of memory that stands in for a server.

`make up` and the Molecule scenarios use this package, so what is tried by hand is what is tested.
Ansible, Fabric and testinfra connect to it over SSH, as they do to a real server.
"""


class NanodeError(Exception):
    """A local Nanode cannot be created or reached; the message names the next command."""


class NoContainerError(NanodeError):
    """No container can run on this host, and a retry does not help.

    Attributes:
        reason: the missing ability, without the remedy.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"no container can run on this host: {reason}: {remedy}, {ALTERNATIVE}")
        self.reason = reason


ALTERNATIVE = "or run 'make serve': the same service as processes of this user, without a container"
