"""A server is rebooted if the kernel, the C library or systemd was updated since it booted."""

from __future__ import annotations

import re
from fnmatch import fnmatch

import pytest
from rendering import SYSTEMS, TREE, VARIANTS, evaluate, variables

(BASE,) = (role for role in TREE.roles if role.name == "base")
TASKS = {task.name: task for task in BASE.tasks}
REBOOT = TASKS["Reboot the server"]
BOOTED = 1_700_000_000
FACTS = {"date_time": {"epoch": str(BOOTED + 3600)}, "uptime_seconds": 3600}
# As yum-utils of EL7 and dnf-utils of EL9 print it.
EL7 = (
    "Core libraries or services have been updated:\n"
    "  systemd -> 219-78.el7_9.9\n"
    "  kernel -> 3.10.0-1160.119.1.el7\n"
    "\nReboot is required to ensure that your system benefits from these updates.\n"
    "\nMore information:\nhttps://access.redhat.com/solutions/27943\n"
)
EL9 = (
    "Core libraries or services have been updated since boot-up:\n"
    "  * glibc\n  * kernel\n"
    "\nReboot is required to fully utilize these updates.\n"
    "More information: https://access.redhat.com/solutions/27943\n"
)
CURRENT = (
    "No core libraries or services have been updated since boot-up.\n"
    "Reboot should not be necessary.\n"
)


def updated(system: str, registered: dict[str, object]) -> object:
    """Return what base reports as updated since the boot."""
    values = variables(BASE, system, VARIANTS[0])
    values.update(registered, ansible_facts={**SYSTEMS[system], **FACTS})
    return evaluate(values["__base_updated_since_boot"], values)


@pytest.mark.parametrize(
    ("system", "printed", "names"),
    [
        ("centos7", EL7, ["systemd -> 219-78.el7_9.9", "kernel -> 3.10.0-1160.119.1.el7"]),
        ("el9", EL9, ["glibc", "kernel"]),
        ("el9", CURRENT, []),
    ],
)
def test_el_reports_what_needs_restarting_names(system: str, printed: str, names: list[str]):
    assert updated(system, {"__base_needs_restarting": {"stdout": printed}}) == names


@pytest.mark.parametrize(
    ("result", "failed"),
    [
        ({"rc": 0, "stdout": CURRENT}, False),
        ({"rc": 1, "stdout": EL9}, False),
        ({"rc": 1, "stdout": "", "stderr": "Traceback (most recent call last):"}, True),
        ({"rc": 2, "stdout": ""}, True),
    ],
)
def test_a_failure_of_needs_restarting_is_not_taken_for_a_reboot(
    result: dict[str, object], failed: bool
):
    condition = "{{ " + TASKS["Run needs-restarting"].data["failed_when"] + " }}"
    assert evaluate(condition, {"__base_needs_restarting": result}) is failed


def test_debian_reports_only_what_was_installed_since_the_boot():
    files = [
        {"path": "/var/lib/dpkg/info/libc6:amd64.list", "mtime": BOOTED - 1.5},
        {"path": "/var/lib/dpkg/info/systemd.list", "mtime": BOOTED + 1.5},
        {"path": "/run/reboot-required", "mtime": BOOTED + 60.0},
    ]
    found = updated("debian12", {"__base_package_files": {"files": files}})
    assert found == ["systemd", "reboot-required"]


def test_debian_watches_kernel_library_systemd_and_the_request_of_a_package():
    arguments = TASKS["Find the package lists of the kernel, the C library and systemd"].arguments
    assert arguments["paths"] == ["/var/lib/dpkg/info", "/run"]
    for name in (
        "linux-image-6.1.0-26-amd64.list",
        "libc6:amd64.list",
        "systemd.list",
        "reboot-required",
    ):
        assert any(fnmatch(name, pattern) for pattern in arguments["patterns"])


@pytest.mark.parametrize("system", SYSTEMS)
def test_nothing_is_updated_if_nothing_was_checked(system: str):
    assert updated(system, {}) == []


@pytest.mark.parametrize(
    ("choice", "names", "serves", "reboots", "reports"),
    [
        ("auto", [], False, False, False),
        ("auto", ["kernel-3.10.0-1160.119.1.el7"], False, True, False),
        ("auto", ["kernel-3.10.0-1160.119.1.el7"], True, False, True),
        ("auto", [], True, False, False),
        ("always", [], True, True, False),
    ],
)
def test_the_server_reboots_when_it_is_required_and_answers_nobody(
    choice: str, names: list[str], serves: bool, reboots: bool, reports: bool
):
    values = {
        "base_reboot": choice,
        "__base_updated_since_boot": names,
        "__base_serves": serves,
    }
    assert evaluate("{{ " + REBOOT.data["when"] + " }}", values) is reboots
    report = TASKS["Report that updates require a reboot"]
    assert all(evaluate("{{ " + one + " }}", values) for one in report.data["when"]) is reports
    asked = {**variables(BASE, "debian12", VARIANTS[0]), **values, "inventory_hostname": "nanode"}
    assert "os_upgrade_reboot=auto" in evaluate(report.arguments["msg"], asked)


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        (None, "/etc/tox_com_det/live.sock"),
        (["app"], "/etc/tox_com_det/live.sock"),
        (["app", "database"], "/opt/tox_com_det/toxctl/current"),
        (["balancer"], "/opt/tox_com_det/toxctl/current"),
    ],
)
def test_what_answers_requests_is_known_by_a_live_model_or_by_toxctl(
    parts: list[str] | None, path: str
):
    values = variables(BASE, "debian12", VARIANTS[0])
    if parts is not None:
        values |= {"__layout_cluster": True, "__layout_parts": parts}
    assert evaluate(values["__base_in_service"], values) == path
    for found, serves in (
        ({}, False),
        ({"skipped": True}, False),
        ({"stat": {"exists": True}}, True),
    ):
        assert evaluate(values["__base_serves"], {**values, "__base_serving": found}) is serves


@pytest.mark.parametrize("system", SYSTEMS)
def test_always_reboots_without_a_check(system: str):
    """Nothing has read the facts of the boot then."""
    values = {**variables(BASE, system, VARIANTS[0]), "base_reboot": "always"}
    assert evaluate(REBOOT.arguments["msg"], values) == "base_reboot is always: rebooting"


def test_never_does_not_even_check():
    included = TASKS["Reboot if updates require it"]
    assert evaluate("{{ " + included.data["when"] + " }}", {"base_reboot": "never"}) is False


def test_the_local_nanode_is_never_rebooted():
    values = {name: value for _, name, value in TREE.inventory_variables if name == "base_reboot"}
    assert values == {"base_reboot": "never"}


def test_arch_reports_only_what_was_installed_since_the_boot():
    pattern = TASKS["Find the packages of the kernel, the C library and systemd"].arguments[
        "patterns"
    ]
    names = ["linux-6.12.1.arch1-1", "linux-firmware-20251011-1", "glibc-2.42-1", "htop-3.4-1"]
    found = [name for name in names if any(re.fullmatch(one, name) for one in pattern)]
    assert found == ["linux-6.12.1.arch1-1", "glibc-2.42-1"]
    files = [
        {"path": "/var/lib/pacman/local/linux-lts-6.12.1-1", "mtime": BOOTED + 60.0},
        {"path": "/var/lib/pacman/local/glibc-2.42-1", "mtime": BOOTED - 60.0},
    ]
    assert updated("arch", {"__base_package_files": {"files": files}}) == ["linux-lts"]
