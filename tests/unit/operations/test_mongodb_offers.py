"""The preflight checks refuse a version that MongoDB does not publish for the release of Debian."""

from __future__ import annotations

import pytest
from rendering import DEBIAN, Variant, evaluate, variables
from role_tasks import Verdict, evaluate_assert, role, task

MONGODB = role("mongodb")
VARIABLES = role("preflight").vars[role("preflight").path / "vars/main.yml"]
ASSERT = task("preflight", "Check that MongoDB offers the version for the system")


def verdict(release: str, **inventory: object) -> Verdict:
    read = {"__preflight_id": "debian", "__preflight_version": release}
    return evaluate_assert(ASSERT, {**VARIABLES, **read, **inventory})


@pytest.mark.parametrize(
    ("release", "version", "others"), [("12", "9.0", "7.0 or 8.0"), ("13", "8.0", "9.0")]
)
def test_a_version_without_packages_is_refused_with_those_that_have_some(
    release: str, version: str, others: str
) -> None:
    said = verdict(release, mongodb_version=version)
    assert not said.passed
    assert f"no packages of {version} for debian {release}: set mongodb_version to {others}" in (
        said.message
    )


@pytest.mark.parametrize("release", ["12", "13"])
def test_the_version_that_the_role_takes_by_itself_passes(release: str) -> None:
    values = variables(MONGODB, f"debian{release}", Variant("defaults"))
    assert verdict(release, mongodb_version=evaluate(values["__mongodb_version"], values)).passed
    assert verdict(release).passed


def test_a_repository_of_ones_own_may_have_every_version() -> None:
    said = verdict("13", mongodb_version="8.0", mongodb_repository_url="https://mirror.example.org")
    assert not said.ran


def test_another_database_needs_no_packages_of_mongodb() -> None:
    assert not verdict("13", mongodb_version="8.0", mongodb_provider="secantusdb").ran


@pytest.mark.parametrize("system", DEBIAN)
def test_every_release_of_debian_has_its_list(system: str) -> None:
    assert system in VARIABLES["__preflight_mongodb_offered"]
