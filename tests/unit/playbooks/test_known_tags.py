"""A tag that no task has stops the run; Ansible would do nothing and report success."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def play(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 (built here)
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "x,", "site.yml", *options],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("options", [["--tags", "nginx,ngnix"], ["--skip-tags", "ngnix"]])
def test_an_unknown_tag_is_one_line_with_the_known_ones(options):
    done = play(*options)
    assert done.returncode == 1
    assert "no task has the tag ngnix (did you mean nginx?), so nothing was done" in done.stderr
    assert "mongodb, mongodb_access, nginx" in done.stderr
    assert "PLAY" not in done.stdout


@pytest.mark.parametrize("tags", ["nginx", "toxctl,miniconda", "all", "never,preflight"])
def test_tags_of_plays_dependencies_and_ansible_itself_are_known(tags):
    done = play("--tags", tags)
    assert "PLAY [Deploy the service]" in done.stdout
    assert "no task has" not in done.stderr
