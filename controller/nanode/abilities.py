"""What this host allows a container: facts from thin probes, and what they lack for each engine."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# Bits of CapEff: for the mounts and namespaces of a container, and for its network.
CAPABILITIES = {"CAP_SYS_ADMIN": 21, "CAP_NET_ADMIN": 12}
PROBE_SECONDS = 30


@dataclass(frozen=True)
class Abilities:
    """What the calling process may do, as far as a container needs it.

    Attributes:
        user: name of the user.
        root: whether that is root.
        engines: the engines that are installed; None where it answers, else its complaint.
        here: whether podman runs its containers in this very system: not on a Mac, where it has
            a virtual machine, and not over a remote connection.
        capabilities: those of `CAPABILITIES` that the process has.
        namespaces: None if a mount namespace with a new mount can be made, else the complaint.
        user_ids: whether the user has subordinate ids (/etc/subuid and /etc/subgid).
        uid_mapper: whether newuidmap is installed.
        cgroup_version: 1, 2, or 0 where no tree is mounted.
        cgroup_writable: whether groups with a memory limit can be made, by this user.
    """

    user: str
    root: bool
    engines: dict[str, str | None]
    here: bool
    capabilities: frozenset[str]
    namespaces: str | None
    user_ids: bool
    uid_mapper: bool
    cgroup_version: int
    cgroup_writable: bool


@dataclass(frozen=True)
class Lack:
    """What is missing, and what to do about it."""

    what: str
    remedy: str


def missing_for(engine: str, facts: Abilities) -> Lack | None:
    """The first ability that an installed engine lacks here, None if it lacks none."""
    if engine == "docker":
        # What a container may do is its daemon's affair, not this process's.
        return _silent(engine, facts, "start its daemon, or join the group 'docker'")
    if facts.here:
        lack = _missing_as_root(facts) if facts.root else _missing_as_user(facts)
        if lack is not None:
            return lack
    return _silent(engine, facts, "see what 'podman info' says")


def _silent(engine: str, facts: Abilities, remedy: str) -> Lack | None:
    complaint = facts.engines.get(engine)
    if complaint is None:
        return None
    return Lack(f"{engine} is installed but does not answer ({complaint})", remedy)


def _missing_as_root(facts: Abilities) -> Lack | None:
    outside = "start this sandbox with more rights (for a container: --privileged)"
    for name in CAPABILITIES:
        if name not in facts.capabilities:
            return Lack(f"root lacks {name} here", outside)
    if facts.namespaces is not None:
        return Lack(f"a mount namespace is not permitted here ({facts.namespaces})", outside)
    if facts.cgroup_version == 0:
        return Lack(
            "no cgroup tree is mounted at /sys/fs/cgroup, so no memory limit can be set", outside
        )
    if not facts.cgroup_writable:
        return Lack("/sys/fs/cgroup is not writable, so no memory limit can be set", outside)
    return None


def _missing_as_user(facts: Abilities) -> Lack | None:
    user = facts.user
    if not facts.user_ids:
        return Lack(
            f"podman is not set up for {user}, who is not root: no range of ids in /etc/subuid "
            "and /etc/subgid",
            f"run 'make up' as root, or once 'sudo usermod --add-subuids 100000-165535 "
            f"--add-subgids 100000-165535 {user}'",
        )
    if not facts.uid_mapper:
        return Lack(
            f"podman is not set up for {user}, who is not root: newuidmap is not installed",
            "run 'make up' as root, or install it (Debian: 'sudo apt-get install uidmap')",
        )
    if facts.namespaces is not None:
        return Lack(
            f"{user}, who is not root, may not make a user namespace ({facts.namespaces})",
            "run 'make up' as root",
        )
    if facts.cgroup_version != 2 or not facts.cgroup_writable:
        tree = f"cgroup v{facts.cgroup_version}" if facts.cgroup_version else "no cgroup tree"
        return Lack(
            f"{user}, who is not root, cannot limit memory here ({tree}, the memory controller "
            "is not delegated)",
            "run 'make up' as root",
        )
    return None


def inspect_abilities(engines: tuple[str, ...]) -> Abilities:
    """Probe this host; nothing is changed, each probe is a file read or a short command."""
    root = os.geteuid() == 0
    user = _user()
    version, writable = _cgroup(Path("/sys/fs/cgroup"), root)
    return Abilities(
        user=user,
        root=root,
        engines={name: engine_complaint(name) for name in engines if shutil.which(name)},
        here=sys.platform == "linux" and not os.environ.get("CONTAINER_HOST"),
        capabilities=frozenset(name for name, bit in CAPABILITIES.items() if has_capability(bit)),
        namespaces=_namespace_complaint(root),
        user_ids=all(has_range(Path(path), user) for path in ("/etc/subuid", "/etc/subgid")),
        uid_mapper=shutil.which("newuidmap") is not None,
        cgroup_version=version,
        cgroup_writable=writable,
    )


def engine_complaint(name: str) -> str | None:
    """None if the engine answers, else the last line of what it says."""
    return _complaint([name, "info"])


def has_capability(bit: int, status: Path = Path("/proc/self/status")) -> bool:
    """Whether this process has a capability; False where the system does not know them."""
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return False
    effective = next((line.split()[1] for line in lines if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) >> bit & 1)


def has_range(path: Path, user: str) -> bool:
    """Whether a file such as /etc/subuid gives this user, by name or number, some ids."""
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


def _namespace_complaint(root: bool) -> str | None:
    if shutil.which("unshare") is None:
        return None  # not known: the engine itself will tell
    # Inside a mount namespace of its own, so /tmp out here stays as it is.
    new = ["--mount"] if root else ["--user", "--map-root-user", "--mount"]
    return _complaint(["unshare", *new, "mount", "-t", "tmpfs", "tmpfs", "/tmp"])  # noqa: S108 (in a namespace of its own)


def _cgroup(tree: Path, root: bool) -> tuple[int, bool]:
    """Version of the cgroup tree, and whether this user may make groups that limit memory."""
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


def _complaint(command: list[str]) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 (fixed commands)
            command,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=PROBE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {PROBE_SECONDS} s"
    except OSError as error:
        return error.strerror or str(error)
    if done.returncode == 0:
        return None
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
