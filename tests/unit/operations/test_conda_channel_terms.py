"""Conda environments come from conda-forge, and no terms of service are accepted silently.

conda itself is a fake here: the tests check when it is called and with which arguments.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_run import PROJECT, load, run_tasks
from role_tasks import TREE, role

ROLE = PROJECT / "roles/miniconda"
ARTICLE = {
    "name": "article",
    "python": "3.6.8",
    "packages": ["tensorflow", "scikit-learn", "keras", "pandas"],
}
CONDA = """#!/bin/sh
printf '%s\\n' "$*" >>"$(dirname "$0")/../calls"
env >>"$(dirname "$0")/../environment"
while [ "$1" != --name ]; do shift; done
mkdir -p "$(dirname "$0")/../envs/$2"
"""

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="the role sets root as the owner: run the tests as root"
)


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    conda = tmp_path / "conda/bin/conda"
    conda.parent.mkdir(parents=True)
    conda.write_text(CONDA)
    conda.chmod(0o755)
    return tmp_path / "conda"


def make(prefix: Path, environments: list[dict], **more: object) -> tuple[int, int, str]:
    variables = {"miniconda_prefix": str(prefix), "miniconda_environments": environments, **more}
    return run_tasks(prefix.parent / "run", "miniconda", "environments.yml", variables)


def calls(prefix: Path) -> list[str]:
    path = prefix / "calls"
    return path.read_text().splitlines() if path.exists() else []


def test_the_environment_of_the_article_uses_conda_forge_only(prefix: Path):
    code, changed, output = make(prefix, [ARTICLE])
    assert code == 0, output
    assert changed > 0
    assert calls(prefix) == [
        "create --yes --quiet --name article --override-channels --channel=conda-forge"
        " python=3.6.8 tensorflow scikit-learn keras pandas"
    ]


def test_a_complete_environment_is_kept_until_its_definition_changes(prefix: Path):
    make(prefix, [ARTICLE])
    code, changed, output = make(prefix, [ARTICLE])
    assert (code, changed) == (0, 0), output
    make(prefix, [{**ARTICLE, "channels": ["bioconda", "conda-forge"]}])
    assert len(calls(prefix)) == 2
    assert "--override-channels --channel=bioconda --channel=conda-forge" in calls(prefix)[1]


def test_an_incomplete_environment_is_created_again(prefix: Path):
    make(prefix, [ARTICLE])
    (prefix / "envs/article/.made-from").unlink()
    make(prefix, [ARTICLE])
    assert len(calls(prefix)) == 2


@pytest.mark.parametrize(
    "channel",
    ["defaults", "main", "anaconda", "https://repo.anaconda.com/pkgs/main", "pkgs/r"],
)
def test_channels_of_anaconda_are_rejected_before_conda_runs(prefix: Path, channel: str):
    environment = {**ARTICLE, "channels": ["conda-forge", channel]}
    code, _, output = make(prefix, [environment], miniconda_accept_terms=True)
    assert code != 0
    assert "terms of their own" in output
    assert not calls(prefix)


def test_environments_are_rejected_without_conda(prefix: Path):
    variables = {"python_provider": "system", "miniconda_environments": [ARTICLE]}
    code, _, output = run_tasks(prefix.parent / "run", "python", "system.yml", variables)
    assert code != 0
    assert "python_provider is system" in output


def test_the_installer_does_not_run_before_its_terms_are_accepted():
    assert load(ROLE / "defaults/main.yml")["miniconda_accept_terms"] is False
    first, *_ = load(ROLE / "tasks/miniconda.yml")
    assert first["ansible.builtin.assert"]["that"] == "miniconda_accept_terms"
    for inventory in (
        "local/group_vars/tox_com_det.yml",
        "example/group_vars/tox_com_det/vars.yml",
    ):
        assert not load(PROJECT / "inventory" / inventory).get("miniconda_accept_terms")


def test_no_channel_terms_are_accepted_for_the_user(prefix: Path):
    make(prefix, [ARTICLE])
    assert not [call for call in calls(prefix) if "tos" in call.split()]
    assert "AUTO_ACCEPT_TOS" not in (prefix / "environment").read_text()
    for one in role("miniconda").tasks:
        assert "AUTO_ACCEPT_TOS" not in str(one.data), TREE.where(one.file, one.line)
