"""The upgrade test gives an earlier revision the package sources that it knows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

from controller.deploy.paths import ROOT

SPECS = """
argument_specs:
  main:
    options:
      mongodb_key_url: {type: str}
"""


def test_variables_of_roles_that_are_not_there_yet_are_left_out(tmp_path: Path) -> None:
    specs = tmp_path / "old/roles/mongodb/meta/argument_specs.yml"
    specs.parent.mkdir(parents=True)
    specs.write_text(SPECS)
    sources = tmp_path / "sources.yml"
    named = {"mongodb_key_url": "file:///key", "backup_password": "secret"}
    sources.write_text(yaml.safe_dump({"tox_com_det": {"vars": named}}))
    done = subprocess.run(  # noqa: S603 (the script under test)
        [sys.executable, ROOT / "tests/upgrade/known.py", tmp_path / "old", sources],
        capture_output=True,
        text=True,
        check=True,
    )
    assert yaml.safe_load(done.stdout) == {
        "tox_com_det": {"vars": {"mongodb_key_url": "file:///key"}}
    }
