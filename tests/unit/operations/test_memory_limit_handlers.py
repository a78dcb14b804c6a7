"""A limit of memory that systemd does not apply ends a run before anything is started with it."""

from __future__ import annotations

import pytest
from rendering import SYSTEMS, VARIANTS, variables
from role_tasks import Verdict, evaluate_assert, role

MEBIBYTE = 1024**2
# Of each role: its handler, and where the answer of `systemctl show` is.
HANDLERS = {
    "flask_app": ("Require the slots' memory limit", "__flask_app_limit"),
    "mongodb": ("Require the database's memory limit", "__mongodb_limit"),
}
# What systemd 219 says of no limit.
NONE_OF_219 = str(2**64 - 1)


def verdict(of: str, system: str, limit: object, shown: object, check: bool = False) -> Verdict:
    """What the handler makes of the limit that systemd shows, in bytes."""
    name, answer = HANDLERS[of]
    (handler,) = (one for one in role(of).handlers if one.name == name)
    prefix = "MemoryLimit=" if system == "centos7" else "MemoryMax="
    values = {
        **variables(role(of), system, VARIANTS[0]),
        "ansible_check_mode": check,
        f"{of}_memory_max": limit,
        answer: {"stdout": f"{prefix}{shown}"},
    }
    return evaluate_assert(handler, values)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("of", HANDLERS)
def test_a_limit_that_systemd_applies_is_enough(of: str, system: str) -> None:
    for limit, shown in (
        ("300M", 300 * MEBIBYTE),
        ("1G", 1024 * MEBIBYTE),
        ("307200K", 300 * MEBIBYTE),
        (314572800, 300 * MEBIBYTE),
    ):
        assert verdict(of, system, limit, shown).passed, limit


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("of", HANDLERS)
def test_another_limit_is_refused_with_both_and_the_next_command(of: str, system: str) -> None:
    for shown in (200 * MEBIBYTE, 300, "infinity", NONE_OF_219, "", "[not set]"):
        found = verdict(of, system, "300M", shown)
        assert found.ran
        assert not found.passed, shown
        assert f"systemd does not apply {of}_memory_max: 300M (Memory" in found.message
        assert f"={shown})" in found.message
        assert f"rerun `ansible-playbook site.yml --tags {of}`" in found.message


@pytest.mark.parametrize("of", HANDLERS)
def test_check_mode_does_not_look_at_the_unit_of_before(of: str) -> None:
    found = verdict(of, "debian12", "300M", 200 * MEBIBYTE, check=True)
    assert (found.ran, found.passed) == (False, True)


@pytest.mark.parametrize("limit", ["50%", "1.5G", "1G 500M"])
def test_a_limit_of_the_database_that_is_no_whole_number_has_to_be_one_at_all(limit: str) -> None:
    assert verdict("mongodb", "debian12", limit, 500 * MEBIBYTE).passed
    for shown in ("infinity", NONE_OF_219, ""):
        assert not verdict("mongodb", "debian12", limit, shown).passed


@pytest.mark.parametrize(("system", "shown"), [("debian12", "infinity"), ("centos7", NONE_OF_219)])
def test_the_database_may_have_no_limit(system: str, shown: str) -> None:
    assert verdict("mongodb", system, "infinity", shown).passed
