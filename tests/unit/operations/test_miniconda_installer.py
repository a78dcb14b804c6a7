"""Each system has a pinned Miniconda installer that its glibc can run, with its SHA-256.

The newest installers need glibc 2.28; CentOS 7 has 2.17.
"""

from __future__ import annotations

import re

import pytest
from rendering import SYSTEMS, VARIANTS, Variant, evaluate, variables
from role_tasks import role, task

MINICONDA = role("miniconda")


def installer(system: str, variant: Variant = VARIANTS[0]) -> tuple[str, str]:
    values = variables(MINICONDA, system, variant)
    name = str(evaluate(values["__miniconda_installer"], values))
    return name, str(evaluate(values["__miniconda_installer_sha256"], values))


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_has_an_installer_of_python_3_11_with_its_checksum(system: str):
    name, digest = installer(system)
    assert re.fullmatch(r"Miniconda3-py311_\d+\.\d+\.\d+-\d+-Linux-x86_64\.sh", name)
    assert re.fullmatch(r"[0-9a-f]{64}", digest)


def test_centos_7_gets_the_newest_installer_for_its_glibc():
    name, digest = installer("centos7")
    assert name == "Miniconda3-py311_24.1.2-0-Linux-x86_64.sh"
    assert digest == "3f2e5498e550a6437f15d9cc8020d52742d0ba70976ee8fce4f0daefa3992d2e"
    assert installer("el9")[0] != name


def test_only_the_pinned_installer_is_run():
    download = task("miniconda", "Download the installer")
    assert download.arguments["checksum"] == "sha256:{{ __miniconda_installer_sha256 }}"
    assert download.line < task("miniconda", "Run the installer").line


def test_the_installer_is_a_variable():
    own = Variant("own", {"miniconda_installer": "Own.sh", "miniconda_installer_sha256": "0" * 64})
    assert installer("centos7", own) == ("Own.sh", "0" * 64)


def test_the_installed_python_is_started_once():
    check = task("miniconda", "Verify that the installed Python starts")
    stamp = task("miniconda", "Mark the installation as complete")
    assert check.line < stamp.line
