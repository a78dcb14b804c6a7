"""The local Nanode: a container with systemd, sshd and 1 GiB of memory that stands in for a server.

`make up` and the Molecule scenarios make it through this one package, so what is tried by hand is
what is tested. Ansible, Fabric and testinfra reach it over SSH, as they reach a real server.
"""


class NanodeError(Exception):
    """A local Nanode cannot be made or reached; the message names the next command to type."""


class NoContainerError(NanodeError):
    """No container can run here, whatever is tried again.

    Attributes:
        reason: the ability that is missing, without what to do about it.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"no container can run here: {reason}: {remedy}, {INSTEAD}")
        self.reason = reason


INSTEAD = "or run 'make serve': the same service as processes of this user, without a container"
