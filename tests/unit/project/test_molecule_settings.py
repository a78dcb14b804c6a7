"""Molecule's own ansible.cfg has the project's plugins, which the first check of a run needs."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
NEEDED = (
    "gathering",
    "library",
    "action_plugins",
    "vars_plugins",
    "vars_plugins_enabled",
    "roles_path",
)


@pytest.mark.parametrize(
    "scenario", sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
)
def test_a_scenario_with_its_own_settings_has_the_projects_plugins(scenario: str):
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "ansible.cfg", encoding="utf-8")
    settings = yaml.safe_load((ROOT / f"molecule/{scenario}/molecule.yml").read_text())
    own = settings["ansible"].get("cfg", {}).get("defaults")
    if own is None:  # it runs ansible-playbook in the checkout
        return
    for name in NEEDED:
        value = own[name].replace("${MOLECULE_PROJECT_DIRECTORY}/", "")
        assert value == config["defaults"][name], name
