"""Conda environments come from conda-forge, and no terms of service are accepted silently.

conda itself is a fake here: the tests check when it is called and with which arguments.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_run import PROJECT, load, run_tasks

ROLE = PROJECT / "roles/miniconda"
ARTICLE = {
    "name": "article",
    "python": "3.6.8",
    "packages": ["tensorflow", "scikit-learn", "keras", "pandas"],
}
CONDA = """#!/bin/sh
printf '%s\\n' "$*" >>"$(dirname "$0")/../asked"
while [ "$1" != --name ]; do shift; done
mkdir -p "$(dirname "$0")/../envs/$2"
"""

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="the role gives what it makes to root: run the tests as root"
)


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    conda = tmp_path / "conda/bin/conda"
    conda.parent.mkdir(parents=True)
    conda.write_text(CONDA)
    conda.chmod(0o755)
    return tmp_path / "conda"


def make(prefix: Path, environments: list[dict], **more: object) -> tuple[int, int, str]:
    asked = {"miniconda_prefix": str(prefix), "miniconda_environments": environments, **more}
    return run_tasks(prefix.parent / "run", "miniconda", "environments.yml", asked)


def asked(prefix: Path) -> list[str]:
    path = prefix / "asked"
    return path.read_text().splitlines() if path.exists() else []


def test_the_articles_environment_asks_conda_forge_and_nobody_else(prefix: Path):
    code, changed, output = make(prefix, [ARTICLE])
    assert code == 0, output
    assert changed > 0
    assert asked(prefix) == [
        "create --yes --quiet --name article --override-channels --channel=conda-forge"
        " python=3.6.8 tensorflow scikit-learn keras pandas"
    ]


def test_a_finished_environment_is_left_alone_and_another_wish_makes_it_anew(prefix: Path):
    make(prefix, [ARTICLE])
    code, changed, output = make(prefix, [ARTICLE])
    assert (code, changed) == (0, 0), output
    make(prefix, [{**ARTICLE, "channels": ["bioconda", "conda-forge"]}])
    assert len(asked(prefix)) == 2
    assert "--override-channels --channel=bioconda --channel=conda-forge" in asked(prefix)[1]


def test_an_environment_that_was_cut_off_is_made_anew(prefix: Path):
    make(prefix, [ARTICLE])
    (prefix / "envs/article/.made-from").unlink()
    make(prefix, [ARTICLE])
    assert len(asked(prefix)) == 2


@pytest.mark.parametrize(
    "channel",
    ["defaults", "main", "anaconda", "https://repo.anaconda.com/pkgs/main", "pkgs/r"],
)
def test_anacondas_own_channels_are_refused_before_conda_is_asked(prefix: Path, channel: str):
    wished = {**ARTICLE, "channels": ["conda-forge", channel]}
    code, _, output = make(prefix, [wished], miniconda_accept_terms=True)
    assert code != 0
    assert "terms of their own" in output
    assert not asked(prefix)


def test_without_conda_the_wish_is_refused_with_words(prefix: Path):
    code, _, output = make(prefix, [ARTICLE], python_provider="system")
    assert code != 0
    assert "python_provider is system" in output


def test_the_installer_is_not_run_before_somebody_said_yes():
    assert load(ROLE / "defaults/main.yml")["miniconda_accept_terms"] is False
    first, *_ = load(ROLE / "tasks/miniconda.yml")
    assert first["ansible.builtin.assert"]["that"] == "miniconda_accept_terms"
    for inventory in (
        "local/group_vars/tox_com_det.yml",
        "example/group_vars/tox_com_det/vars.yml",
    ):
        assert not load(PROJECT / "inventory" / inventory).get("miniconda_accept_terms")


def test_no_task_accepts_channel_terms_or_sets_a_variable_that_does():
    for path in sorted(ROLE.rglob("*.yml")):
        text = path.read_text(encoding="utf-8")
        assert "tos accept" not in text, path
        assert "AUTO_ACCEPT_TOS" not in text, path
