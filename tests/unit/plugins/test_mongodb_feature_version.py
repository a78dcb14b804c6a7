"""Module `mongodb_feature_version`: raised to the running series, never lowered."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from from_file import from_file


@pytest.fixture(scope="module")
def module() -> ModuleType:
    return from_file("plugins/modules/mongodb_feature_version.py")


class Admin:
    """A mongod that answers as MongoDB's documentation says, and keeps its commands."""

    def __init__(self, running: str, data: str) -> None:
        self.running, self.data = running, data
        self.set: list[dict[str, Any]] = []

    def command(self, command: Any) -> dict[str, Any]:
        if command == "buildInfo":
            return {"version": self.running}
        if "getParameter" in command:
            return {"featureCompatibilityVersion": {"version": self.data}}
        self.set.append(command)
        return {"ok": 1.0}


@pytest.mark.parametrize(
    ("running", "data", "command"),
    [
        ("4.2.24", "4.0", {"setFeatureCompatibilityVersion": "4.2"}),
        ("6.0.1", "5.0", {"setFeatureCompatibilityVersion": "6.0"}),
        ("7.0.14", "6.0", {"setFeatureCompatibilityVersion": "7.0", "confirm": True}),
    ],
)
def test_it_is_raised_and_confirmed_where_the_series_asks_for_it(module, running, data, command):
    admin = Admin(running, data)
    series = ".".join(running.split(".")[:2])
    answer = module.raise_version(admin, series, check_mode=False)
    assert answer == {"changed": True, "before": data, "running": series}
    assert admin.set == [command]


def test_what_is_raised_already_stays(module):
    admin = Admin("8.0.3", "8.0")
    assert module.raise_version(admin, "8.0", check_mode=False)["changed"] is False
    assert admin.set == []


def test_check_mode_changes_nothing(module):
    admin = Admin("7.0.2", "6.0")
    assert module.raise_version(admin, "7.0", check_mode=True)["changed"] is True
    assert admin.set == []


@pytest.mark.parametrize(
    ("running", "data", "words"),
    [
        ("6.0.1", "6.0", "mongod 6.0 is running where the package of 7.0"),
        ("7.0.1", "8.0", "the data is of 8.0 already"),
        ("unknown", "7.0", "its version is 'unknown'"),
    ],
)
def test_what_does_not_fit_is_refused(module, running, data, words):
    admin = Admin(running, data)
    with pytest.raises(module.Refused, match=words):
        module.raise_version(admin, "7.0", check_mode=False)
    assert admin.set == []
