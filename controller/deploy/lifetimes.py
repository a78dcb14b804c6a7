"""When what a server and the laptop run is no longer supported. docs/doctor.md has the sources."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

__all__ = ["LIFETIMES", "Lifetime", "lifetime"]


class Lifetime(NamedTuple):
    """A series of versions.

    Attributes:
        product: its name, as it is printed.
        series: the version, or how it begins.
        end: the last day with security updates.
        instead: what to type, or what to read before that; empty if this project has nothing newer.
    """

    product: str
    series: str
    end: date
    instead: str


_OS = "make a new server and restore a backup there: docs/backup.md"
_DATABASE = "set mongodb_version to the next series: docs/upgrading.md#mongodb"
_PYTHON = "remove .venv and run `make venv` with a newer Python"

LIFETIMES = (
    Lifetime("CentOS Linux", "7", date(2024, 6, 30), _OS),
    Lifetime("CentOS Stream", "9", date(2027, 5, 31), _OS),
    Lifetime("Rocky Linux", "9", date(2032, 5, 31), _OS),
    Lifetime("AlmaLinux", "9", date(2032, 5, 31), _OS),
    Lifetime("Red Hat Enterprise Linux", "9", date(2032, 5, 31), _OS),
    Lifetime("Debian GNU/Linux", "12", date(2028, 6, 30), _OS),  # LTS
    Lifetime("Debian GNU/Linux", "13", date(2030, 6, 30), _OS),  # LTS
    Lifetime("MongoDB", "4.0", date(2022, 4, 30), _DATABASE),
    Lifetime("MongoDB", "4.2", date(2023, 4, 30), _DATABASE),
    Lifetime("MongoDB", "4.4", date(2024, 2, 29), _DATABASE),
    Lifetime("MongoDB", "5.0", date(2024, 10, 31), _DATABASE),
    Lifetime("MongoDB", "6.0", date(2025, 7, 31), _DATABASE),
    Lifetime("MongoDB", "7.0", date(2027, 8, 31), _DATABASE),
    Lifetime("MongoDB", "8.0", date(2029, 10, 31), _DATABASE),
    Lifetime("Python", "3.11", date(2027, 10, 31), _PYTHON),
    Lifetime("Python", "3.12", date(2028, 10, 31), _PYTHON),
    Lifetime("Python", "3.13", date(2029, 10, 31), _PYTHON),
    Lifetime("ansible-core", "2.16", date(2025, 5, 31), "only CentOS 7 needs it: run `make venv`"),
    Lifetime("ansible-core", "2.19", date(2026, 11, 30), ""),  # the last one for Python 3.11
)


def lifetime(product: str, version: str) -> Lifetime | None:
    """Return the series that the version is of; None if its end is not known."""
    for one in LIFETIMES:
        if one.product == product and f"{version}.".startswith(f"{one.series}."):
            return one
    return None
