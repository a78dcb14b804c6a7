"""MongoDB is upgraded one series at a time, and never to an older one."""

from __future__ import annotations

import itertools

import pytest
from rendering import SYSTEMS, Variant, evaluate, variables
from role_tasks import Verdict, evaluate_assert, role, task

MONGODB = role("mongodb")
ASSERT = task("mongodb", "Check that the series can be reached in one step")
CHOICES = MONGODB.spec["mongodb_version"]["choices"]


def values(installed: str, wanted: str, system: str = "debian12") -> dict[str, object]:
    packages = {"mongodb-org-server": installed} if installed else {}
    given = variables(MONGODB, system, Variant("own", {"mongodb_version": wanted}))
    return {**given, "ansible_facts": {**SYSTEMS[system], "packages": packages}}


def verdict(installed: str, wanted: str) -> Verdict:
    return evaluate_assert(ASSERT, values(installed, wanted))


@pytest.mark.parametrize(
    ("installed", "wanted"),
    [("4.0.28", "4.2"), ("4.2.24-1.el7", "4.4"), ("7.0.14", "8.0"), ("8.0.1", "9.0")],
)
def test_the_next_series_is_taken(installed: str, wanted: str):
    assert verdict(installed, wanted).passed


def test_every_choice_has_a_place_in_the_order():
    given = values("", "8.0")
    assert evaluate(given["__mongodb_series"], given) == CHOICES
    for installed, wanted in itertools.pairwise(CHOICES):
        assert verdict(f"{installed}.3", wanted).passed


def test_a_jump_is_refused_with_the_steps():
    said = verdict("4.0.28", "6.0")
    assert not said.passed
    assert said.message.startswith("server has MongoDB 4.0, and MongoDB is upgraded one series at")
    assert "set mongodb_version to each of 4.2, 4.4, 5.0, 6.0 in turn" in said.message


def test_a_rapid_release_between_two_series_goes_to_the_next_one():
    assert verdict("8.2.1", "9.0").passed


def test_an_older_series_is_refused():
    said = verdict("8.0.4", "7.0")
    assert not said.passed
    assert "leave mongodb_version at 8.0, or restore a backup" in said.message


@pytest.mark.parametrize(
    ("installed", "prepared", "state"),
    [("", False, "present"), ("8.0.4", False, "present"), ("7.0.2", True, "latest")],
)
def test_packages_are_replaced_only_for_another_series(installed: str, prepared: bool, state: str):
    given = values(installed, "8.0")
    prepare = task("mongodb", "Prepare the upgrade to another series").data["when"]
    assert evaluate("{{ " + prepare + " }}", given) is prepared
    install = task("mongodb", "Install MongoDB packages")
    assert evaluate(install.arguments["state"], given) == state


def test_the_data_is_raised_and_mongod_stopped_before_the_packages_change():
    prepare = [one.name for one in MONGODB.tasks if one.file.name == "upgrade.yml"]
    assert [name.split()[0] for name in prepare] == ["Check", "Start", "Wait", "Raise"]
    stop = [one.name for one in MONGODB.tasks if one.file.name == "upgrade_stop.yml"]
    assert [name.split()[0] for name in stop] == ["Hand", "Stop"]
    order = [one.name for one in MONGODB.tasks if one.file.name == "mongodb_org.yml"]
    assert order[:4] == [
        "Prepare the upgrade to another series",
        "Add the MongoDB repository",
        "Stop mongod for another series",
        "Install MongoDB packages",
    ]


@pytest.mark.parametrize(
    "name", ["Prepare the upgrade to another series", "Stop mongod for another series"]
)
@pytest.mark.parametrize(
    ("installed", "upgraded"), [("", False), ("8.0.4", False), ("7.0.2", True)]
)
def test_mongod_is_stopped_only_for_another_series(name: str, installed: str, upgraded: bool):
    when = task("mongodb", name).data["when"]
    assert evaluate("{{ " + when + " }}", values(installed, "8.0")) is upgraded


def test_an_administrator_raises_it_where_the_database_asks_for_users():
    users = [
        {"name": "reader", "password": "p" * 12, "roles": [{"role": "read", "db": "x"}]},
        {"name": "admin", "password": "p" * 12, "roles": [{"role": "root", "db": "admin"}]},
    ]
    given = {**values("7.0.2", "8.0"), "mongodb_access_users": users, "mongodb_remote_access": True}
    assert evaluate("{{ __mongodb_administrator.name | default('') }}", given) == "admin"
    given["mongodb_remote_access"] = False
    assert evaluate("{{ __mongodb_administrator.name | default('') }}", given) == ""
