"""What this host allows containers: facts from short probes, and what an engine lacks."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from controller.nanode.run import last_line, run

# Bits of CapEff: for the mounts and namespaces of a container, and for its network.
CAPABILITIES = {"CAP_SYS_ADMIN": 21, "CAP_NET_ADMIN": 12}
PROBE_SECONDS = 30


@dataclass(frozen=True)
class Abilities:
    """What the calling process may do, as far as containers need it.

    Attributes:
        user: name of the user.
        root: whether that is root.
        engines: error of each installed engine, None for one that answers.
        local: whether podman runs its containers on this system, and not in a virtual machine (as
            on a Mac) or over a remote connection.
        capabilities: those of `CAPABILITIES` that the process has.
        namespaces: error of creating a mount namespace with a new mount, None if it works.
        user_ids: whether the user has subordinate ids (/etc/subuid and /etc/subgid).
        uid_mapper: whether newuidmap is installed.
        cgroup_version: 1, 2, or 0 if no tree is mounted.
        cgroup_writable: whether this user can create groups with a memory limit.
    """

    user: str
    root: bool
    engines: dict[str, str | None]
    local: bool
    capabilities: frozenset[str]
    namespaces: str | None
    user_ids: bool
    uid_mapper: bool
    cgroup_version: int
    cgroup_writable: bool


@dataclass(frozen=True)
class Lack:
    """What is missing, and how to fix it."""

    what: str
    remedy: str


def missing_for(engine: str, facts: Abilities) -> Lack | None:
    """The first ability that an installed engine lacks on this host, None if it lacks none."""
    if engine == "docker":
        # The rights of docker's daemon count, not those of this process.
        return _no_answer(engine, facts, "start its daemon, or join the group 'docker'")
    if facts.local:
        lack = _missing_as_root(facts) if facts.root else _missing_as_user(facts)
        if lack is not None:
            return lack
    return _no_answer(engine, facts, "run 'podman info' for details")


def _no_answer(engine: str, facts: Abilities, remedy: str) -> Lack | None:
    error = facts.engines.get(engine)
    if error is None:
        return None
    return Lack(f"{engine} is installed but does not answer ({error})", remedy)


def _missing_as_root(facts: Abilities) -> Lack | None:
    remedy = "start this sandbox with more privileges (for a container: --privileged)"
    for name in CAPABILITIES:
        if name not in facts.capabilities:
            return Lack(f"root lacks {name}", remedy)
    if facts.namespaces is not None:
        return Lack(f"creating a mount namespace is not permitted ({facts.namespaces})", remedy)
    if facts.cgroup_version == 0:
        return Lack(
            "no cgroup tree is mounted at /sys/fs/cgroup, so memory cannot be limited", remedy
        )
    if not facts.cgroup_writable:
        return Lack("/sys/fs/cgroup is not writable, so memory cannot be limited", remedy)
    return None


def _missing_as_user(facts: Abilities) -> Lack | None:
    user = facts.user
    if not facts.user_ids:
        return Lack(
            f"podman is not set up for {user}, who is not root: no id range in /etc/subuid and "
            "/etc/subgid",
            "run 'make up' as root, or once 'sudo usermod --add-subuids 100000-165535 "
            f"--add-subgids 100000-165535 {user}'",
        )
    if not facts.uid_mapper:
        return Lack(
            f"podman is not set up for {user}, who is not root: newuidmap is not installed",
            "run 'make up' as root, or install it (on Debian: 'sudo apt-get install uidmap')",
        )
    if facts.namespaces is not None:
        return Lack(
            f"{user}, who is not root, may not create a user namespace ({facts.namespaces})",
            "run 'make up' as root",
        )
    if facts.cgroup_version != 2 or not facts.cgroup_writable:
        tree = f"cgroup v{facts.cgroup_version}" if facts.cgroup_version else "no cgroup tree"
        return Lack(
            f"{user}, who is not root, cannot limit memory ({tree}, the memory controller is not "
            "delegated)",
            "run 'make up' as root",
        )
    return None


def inspect_abilities(engines: tuple[str, ...]) -> Abilities:
    """Probe this host with file reads and short commands; nothing is changed."""
    root = os.geteuid() == 0
    user = _user()
    version, writable = _cgroup(Path("/sys/fs/cgroup"), root)
    return Abilities(
        user=user,
        root=root,
        engines={name: _error([name, "info"]) for name in engines if shutil.which(name)},
        local=sys.platform == "linux" and not os.environ.get("CONTAINER_HOST"),
        capabilities=frozenset(name for name, bit in CAPABILITIES.items() if has_capability(bit)),
        namespaces=_namespace_error(root),
        user_ids=all(has_range(Path(path), user) for path in ("/etc/subuid", "/etc/subgid")),
        uid_mapper=shutil.which("newuidmap") is not None,
        cgroup_version=version,
        cgroup_writable=writable,
    )


def has_capability(bit: int, status: Path = Path("/proc/self/status")) -> bool:
    """Whether this process has a capability; False on a system without capabilities."""
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return False
    effective = next((line.split()[1] for line in lines if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) >> bit & 1)


def has_range(path: Path, user: str) -> bool:
    """Whether a file such as /etc/subuid has an id range for this user, by name or number."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return False
    names = {user, str(os.geteuid())}
    return any(line.split(":")[0] in names for line in lines if line.count(":") == 2)


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _namespace_error(root: bool) -> str | None:
    if shutil.which("unshare") is None:
        return None  # unknown: the engine reports it
    # In a mount namespace of its own, so this system's /tmp is not affected.
    new = ["--mount"] if root else ["--user", "--map-root-user", "--mount"]
    return _error(["unshare", *new, "mount", "-t", "tmpfs", "tmpfs", "/tmp"])  # noqa: S108 (in a namespace of its own)


def _cgroup(tree: Path, root: bool) -> tuple[int, bool]:
    """Version of the cgroup tree, and whether this user can create groups that limit memory."""
    if (tree / "cgroup.controllers").exists():
        if root:
            return 2, os.access(tree, os.W_OK)
        uid = os.geteuid()
        own = tree / f"user.slice/user-{uid}.slice/user@{uid}.service"
        try:
            delegated = "memory" in (own / "cgroup.controllers").read_text().split()
        except OSError:
            delegated = False
        return 2, delegated and os.access(own, os.W_OK)
    if (tree / "memory").is_dir():
        return 1, os.access(tree / "memory", os.W_OK)
    return 0, False


def _error(command: list[str]) -> str | None:
    """The last line of a command's error, None if it succeeds."""
    try:
        done = run(command, timeout=PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        return f"no answer within {PROBE_SECONDS} s"
    except OSError as error:
        return error.strerror or str(error)
    if done.returncode == 0:
        return None
    return last_line(done, f"exit code {done.returncode}")
