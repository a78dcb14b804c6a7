"""A size without the unit that was meant is refused, and the message says what was meant."""

from __future__ import annotations

from typing import Any

import pytest

from controller.values import sizes
from controller.values.problems import problems_of
from controller.values.table import FORMATS

# The largest size that is refused, and the least one that is taken.
LEAST = {
    "backup_memory_max": ("32767K", "32M"),
    "base_journal_max_memory": ("4095K", "4M"),
    "base_journal_max_size": ("3M 1023K", "4M"),
    "base_swap_size": ("15.9M", "16M"),
    "flask_app_memory_max": ("65535K", "64M"),
    "log_rotation_max_size": ("63k", "64k"),
    "mongodb_memory_max": ("63.9M", "64M"),
    "nginx_client_max_body_size": ("1023", "1k"),
    "os_upgrade_memory_max": ("63M 1023K", "64M"),
}
FORGOTTEN = {
    "backup_memory_max": (150, "150M"),
    "base_journal_max_memory": (32, "32M"),
    "base_journal_max_size": (200, "200M"),
    "flask_app_memory_max": (300, "300M"),
    "log_rotation_max_size": ("20", "20M"),
    "mongodb_memory_max": ("500", "500M"),
    "nginx_client_max_body_size": (10, "10m"),
    "os_upgrade_memory_max": (600, "600M"),
}


def test_every_size_has_a_least_one() -> None:
    kinds = [form.words for form in vars(sizes).values() if isinstance(form, sizes.Format)]
    found = {name for name, one in FORMATS.items() if one.words.startswith(tuple(kinds))}
    assert found == set(LEAST)


@pytest.mark.parametrize("name", LEAST)
def test_what_could_never_be_enough_is_refused(name: str) -> None:
    small, enough = LEAST[name]
    ((_, words),) = problems_of(name, small)
    assert words.partition(";")[0].endswith(f"at least {enough}")
    assert problems_of(name, enough) == []


@pytest.mark.parametrize("name", FORGOTTEN)
def test_a_unit_that_was_forgotten_is_named(name: str) -> None:
    value, meant = FORGOTTEN[name]
    ((_, words),) = problems_of(name, value)
    assert words.endswith(f"; {value} is {value} bytes: did you mean {meant}?")
    assert problems_of(name, meant) == []


def test_nothing_is_proposed_that_would_not_do() -> None:
    values: list[Any] = ["1K", 1, "1", 10**5000, "300MB", True, None]
    for value in values:
        ((_, words),) = problems_of("flask_app_memory_max", value)
        assert "did you mean" not in words


def test_sizes_that_are_no_number_of_bytes_stay() -> None:
    for value in ("1%", "infinity"):
        assert problems_of("mongodb_memory_max", value) == []
    assert problems_of("nginx_client_max_body_size", 0) == []
