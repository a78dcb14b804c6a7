"""A server is rebooted where the kernel, the C library or systemd was updated since it started."""

from __future__ import annotations

import subprocess

import pytest
from rendering import SYSTEMS, TREE, VARIANTS, evaluate, variables

(BASE,) = (role for role in TREE.roles if role.name == "base")
REBOOT = {task.name: task for task in BASE.tasks if task.file.name == "reboot.yml"}
SEE = REBOOT["See whether the kernel, the C library or systemd is newer than what runs"]
DO = REBOOT["Reboot into it"]
LISTED = (
    "printf '%s\\n' '10 glibc-2.17-317.el7' '99999999999 systemd-219-78.el7' "
    "'package kernel is not installed'"
)


def test_only_what_was_installed_since_the_start_is_named():
    command = evaluate(SEE.data["ansible.builtin.shell"]["cmd"], {"__base_install_times": LISTED})
    done = subprocess.run(  # noqa: S603 (words of the tests, no shell)
        ["/bin/bash", "-c", str(command)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["systemd-219-78.el7"]


@pytest.mark.parametrize(
    ("choice", "newer", "reboots"),
    [
        ("auto", [], False),
        ("auto", ["kernel-3.10.0-1160.119.1.el7"], True),
        ("always", [], True),
    ],
)
def test_it_is_rebooted_when_it_has_to_be(choice: str, newer: list[str], reboots: bool):
    values = {"base_reboot": choice, "__base_newer": {"stdout_lines": newer}}
    assert evaluate("{{ " + DO.data["when"] + " }}", values) is reboots


def test_never_does_not_even_look():
    (included,) = (task for task in BASE.tasks if task.name == "Reboot where an update asks for it")
    assert evaluate("{{ " + included.data["when"] + " }}", {"base_reboot": "never"}) is False


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_says_when_kernel_library_and_systemd_were_installed(system: str):
    command = str(variables(BASE, system, VARIANTS[0])["__base_install_times"])
    kernel, library = ("linux-image", "libc6") if system == "debian12" else ("kernel", "glibc")
    assert all(word in command for word in (kernel, library, "systemd"))


def test_the_local_nanode_is_never_rebooted():
    values = {name: value for _, name, value in TREE.inventory_variables if name == "base_reboot"}
    assert values == {"base_reboot": "never"}
