"""Tests run in a random order, so that none relies on another: pytest-randomly is there and on."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
OFF = re.compile(r"no:randomly|randomly-dont-reorganize")
# Scenarios whose tests are steps, one after another.
IN_ORDER = {"cluster", "tags", "tls", "uninstall"}
# What runs the unit tests, the fuzz and the scenarios.
RUNNERS = ("Makefile", "scripts/test", "scripts/test-fuzz", "scripts/test-api")


def test_the_plugin_is_required_locked_and_installed() -> None:
    assert "pytest-randomly" in (ROOT / "requirements/laptop.in").read_text().splitlines()
    for lock in ("controller.txt", "controller-2.16.txt"):
        text = (ROOT / "requirements" / lock).read_text()
        assert re.search(r"(?m)^pytest-randomly==", text), lock
    assert "randomly" in {one.name for one in entry_points(group="pytest11")}


def test_it_is_on_for_the_unit_tests() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]
    assert not OFF.search(settings["ini_options"]["addopts"])
    for name in RUNNERS:
        assert not OFF.search((ROOT / name).read_text()), name
    for path in ROOT.glob("tests/**/conftest.py"):
        assert not OFF.search(path.read_text()), path


@pytest.mark.parametrize(
    "path", sorted((ROOT / "molecule").glob("*/molecule.yml")), ids=lambda path: path.parent.name
)
def test_it_is_on_in_scenarios_whose_tests_stand_alone(path: Path) -> None:
    options = yaml.safe_load(path.read_text()).get("verifier", {}).get("options", {})
    is_off = bool(OFF.search(" ".join(f"{name}:{value}" for name, value in options.items())))
    assert is_off == (path.parent.name in IN_ORDER)
