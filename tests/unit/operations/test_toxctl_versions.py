"""The current version of toxctl and the newest other one stay; a new one is verified before use."""

from __future__ import annotations

import json

import pytest
from rendering import VARIANTS, evaluate, variables
from role_tasks import role, task

DIRECTORY = "/opt/tox_com_det/toxctl"


def removed(current: str, **installed: float) -> list[str]:
    """Return the versions that the role removes; `installed` are names and times."""
    values = {
        **variables(role("toxctl"), "debian12", VARIANTS[0]),
        "__toxctl_build": {"stdout": json.dumps({"version": current})},
        "__toxctl_installed": {
            "files": [
                {"path": f"{DIRECTORY}/{name}", "mtime": mtime} for name, mtime in installed.items()
            ]
        },
    }
    found = evaluate("{{ __toxctl_superseded }}", values)
    assert isinstance(found, list)
    return [path.removeprefix(f"{DIRECTORY}/") for path in found]


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ({}, []),  # check mode on a new server
        ({"new": 3.0}, []),
        ({"new": 3.0, "old": 1.0}, []),
        ({"old": 1.0, "new": 3.0, "middle": 2.0, "oldest": 0.5}, ["old", "oldest"]),
    ],
)
def test_the_newest_two_versions_stay(installed: dict[str, float], expected: list[str]):
    assert removed("new", **installed) == expected


def test_the_current_version_stays_even_if_it_was_installed_first():
    assert removed("a", a=1.0, b=2.0, c=3.0) == ["b"]


def test_a_version_is_started_before_it_gets_its_name_and_the_link():
    names = [one.name for one in role("toxctl").tasks if one.file.name == "install.yml"]
    verify = names.index("Verify that this version starts")
    assert names.index("Unpack this version") < verify < names.index("Give this version its name")
    install = task("toxctl", "Install this version")
    # One of module files, which is read as a task for each of its files.
    switch = min(
        one.line for one in role("toxctl").tasks if one.name.startswith("Switch to this version")
    )
    assert install.line < switch


def test_a_slot_with_the_old_programs_is_replaced_before_they_are_removed():
    """Of version 0.1. An interrupted run removes them later, because nothing is recorded yet."""
    assert [one.name for one in role("flask_app").handlers] == [
        "Reload systemd",
        "Read the slots' memory limit",
        "Require the slots' memory limit",
        "Switch to the idle slot",
        "Require a successful switch",
        "Remove the programs of version 0.1",
        "Record the applied slot configuration",
    ]
    assert {one.data["listen"] for one in role("flask_app").handlers} == {
        "Apply the slot configuration"
    }
