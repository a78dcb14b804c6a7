"""Facts of this host that decide how a container is started: resource limits and cgroups."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from pathlib import Path

from controller.nanode.abilities import has_capability

WANTED_NOFILE = 65536
# conmon itself has a limit of 32768 processes; a container that requests more does not start.
WANTED_NPROC = 32768
CAP_SYS_RESOURCE = 24


@dataclass(frozen=True)
class Host:
    """Facts of the host that decide how a container is started.

    Attributes:
        hybrid_cgroups: cgroup v1 with a v2 tree beside it, which crun refuses.
        writable_cgroups: v1 controllers that have to be mounted for systemd to enforce limits.
        nofile_hard: hard limit of open files of the calling process.
        nproc_hard: hard limit of processes of the calling process.
        may_raise_limits: whether the caller may exceed its own hard limits.
    """

    hybrid_cgroups: bool
    writable_cgroups: tuple[str, ...]
    nofile_hard: int
    nproc_hard: int
    may_raise_limits: bool


def inspect_host(cgroup_root: Path = Path("/sys/fs/cgroup")) -> Host:
    """Read the facts of this host."""
    nofile = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    nproc = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    unlimited = resource.RLIM_INFINITY
    return Host(
        hybrid_cgroups=(cgroup_root / "unified").is_dir(),
        writable_cgroups=tuple(
            str(cgroup_root / name)
            for name in ("memory", "pids")
            if (cgroup_root / name).is_dir() and not (cgroup_root / "cgroup.controllers").exists()
        ),
        nofile_hard=sys.maxsize if nofile == unlimited else nofile,
        nproc_hard=sys.maxsize if nproc == unlimited else nproc,
        may_raise_limits=has_capability(CAP_SYS_RESOURCE),
    )


def ulimit_arguments(host: Host) -> list[str]:
    """`--ulimit` options that never exceed what the caller may grant.

    By default an engine gives a container generous limits, and the start fails where these exceed
    the caller's hard limits and CAP_SYS_RESOURCE is missing.
    """
    if host.may_raise_limits:
        return []
    nofile = min(host.nofile_hard, WANTED_NOFILE)
    nproc = min(host.nproc_hard, WANTED_NPROC)
    return [f"--ulimit=nofile={nofile}:{nofile}", f"--ulimit=nproc={nproc}:{nproc}"]
