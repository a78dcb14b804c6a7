"""The systems the app can run on, as pip names them.

A lock app/requirements/<target>.txt belongs to each. The wheels must fit the interpreter and the
glibc of the target: manylinux_2_X wheels load on glibc 2.X and newer.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TARGETS", "Target", "UnknownTarget", "target"]

OLDEST_GLIBC_MINOR = 5  # manylinux1


class UnknownTarget(ValueError):
    """A target that is not in TARGETS."""


@dataclass(frozen=True)
class Target:
    """One system: its name, its glibc (2.<glibc_minor>) and its interpreter."""

    name: str
    glibc_minor: int
    python: str = "3.11"
    machine: str = "x86_64"

    @property
    def platforms(self) -> list[str]:
        """Every wheel platform tag that loads here, the newest first (pip prefers the first)."""
        legacy = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
        tags = []
        for minor in range(self.glibc_minor, OLDEST_GLIBC_MINOR - 1, -1):
            tags.append(f"manylinux_2_{minor}_{self.machine}")
            if minor in legacy:
                tags.append(f"{legacy[minor]}_{self.machine}")
        return tags


TARGETS = {
    item.name: item
    for item in (
        Target("debian13", 41, python="3.13"),
        Target("debian12", 36),
        Target("el9", 34),
        Target("el7", 17),
    )
}


def target(name: str) -> Target:
    """Return the target of that name; UnknownTarget lists the existing ones."""
    try:
        return TARGETS[name]
    except KeyError:
        known = ", ".join(sorted(TARGETS))
        raise UnknownTarget(f"there is no target {name}: use one of {known}") from None
