"""The packages of role base on a plain EL9: a tool is missing, another one is provided already.

EPEL alone has htop for EL9; curl-minimal provides curl there, and conflicts with it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_run import run_tasks
from rendering import DEBIAN, SYSTEMS, VARIANTS, Variant, evaluate, render, variables
from role_tasks import TREE, evaluate_assert, role, task

CURL_MINIMAL = "curl-minimal-7.76.1-31.el9.x86_64\nno package provides lsof\nca-certificates-2024\n"
# What the modules return for a package that no repository has.
MISSING = {
    "dnf": {
        "failed": True,
        "failures": ["No package htop available."],
        "msg": "Failed to install some of the specified packages",
    },
    "yum": {
        "failed": True,
        "msg": "No package matching 'htop' found available, installed or updated",
    },
    "apt": {"failed": True, "msg": "No package matching 'htop' is available"},
}
# Programs in /usr/sbin, which is not on every user's PATH, and not on that of every sudo.
SBIN = {
    *("auditctl", "augenrules", "chpasswd", "getenforce", "groupadd", "haproxy", "ip", "iptables"),
    *("logrotate", "nft", "nginx", "restorecon", "runuser", "semodule", "semanage", "setenforce"),
    *("setsebool", "sshd", "swapoff", "swapon", "sysctl", "useradd", "usermod", "visudo"),
}


def base(system: str, **more: object) -> dict[str, object]:
    return {**variables(role("base"), system, VARIANTS[0]), **more}


@pytest.mark.parametrize("system", ["centos7", "el9"])
def test_what_another_package_provides_is_not_installed(system: str):
    given = base(system, __base_provided={"stdout": CURL_MINIMAL})
    assert evaluate("{{ __base_packages_to_install }}", given) == ["lsof"]


def test_what_only_the_package_manager_understands_is_left_to_it():
    names = ["@development", "https://example.org/a.rpm", "/usr/bin/jq"]
    given = base("el9", base_extra_packages=names, __base_provided={"stdout": ""})
    assert evaluate("{{ __base_packages_to_install }}", given) == names


def test_debian_is_asked_for_all():
    packages = evaluate("{{ __base_packages_to_install }}", base("debian12"))
    assert isinstance(packages, list)
    assert {"curl", "lsof", "ca-certificates"} <= set(packages)


@pytest.mark.parametrize("manager", MISSING)
def test_a_tool_that_no_repository_has_is_left_out_and_reported(manager: str):
    install = task("base", "Install tools where a repository of the system has them")
    failed = "{{ " + install.data["failed_when"] + " }}"
    assert not evaluate(failed, {"__base_optional": MISSING[manager]})
    result = {**MISSING[manager], "item": "htop"}
    given = base("el9", __base_optional={"results": [result, {"item": "jq", "msg": ""}]})
    assert evaluate("{{ __base_unavailable }}", given) == ["htop"]


def test_another_failure_of_the_package_manager_is_one():
    install = task("base", "Install tools where a repository of the system has them")
    failed = "{{ " + install.data["failed_when"] + " }}"
    result = {"failed": True, "msg": "Failed to download metadata for repo 'baseos'"}
    assert evaluate(failed, {"__base_optional": result})
    assert not evaluate(failed, {"__base_optional": {"changed": True}})


def hardening(system: str, program: str, result: dict[str, object]) -> dict[str, object]:
    return {
        **variables(role("hardening"), system, VARIANTS[0]),
        "__hardening_program": {"name": program, "packages": [program]},
        "__hardening_installed": result,
        "__hardening_recorded": {"changed": True},
    }


@pytest.mark.parametrize("manager", MISSING)
@pytest.mark.parametrize(
    ("system", "program", "remedy"),
    [
        ("el9", "fail2ban", "it is in EPEL, run 'sudo dnf install epel-release' there, or set"),
        ("centos7", "fail2ban", "add one that does, or set"),
        ("el9", "auditd", "add one that does, or set"),
    ],
)
def test_a_program_that_no_repository_has_is_refused(
    manager: str, system: str, program: str, remedy: str
):
    given = hardening(system, program, MISSING[manager])
    failed = "{{ " + task("hardening", "Install the packages").data["failed_when"] + " }}"
    assert not evaluate(failed, given)
    found = evaluate_assert(task("hardening", "Require that a repository has it"), given)
    assert (found.ran, found.passed) == (True, False)
    assert f"has {program}: {remedy} hardening_{program}: false; then rerun" in found.message
    assert "--tags hardening" in found.message


@pytest.mark.parametrize(
    ("result", "fails"),
    [
        ({"failed": True, "msg": "Cannot download repomd.xml"}, True),
        ({"changed": True, "rc": 0, "msg": "No package to clean up"}, False),
        ({"changed": True, "stdout": "No packages are automatically installed"}, False),
        ({"skipped": True, "changed": False}, False),
    ],
    ids=["another failure", "dnf", "apt", "there already"],
)
def test_only_a_missing_package_is_refused(result: dict[str, object], fails: bool):
    given = hardening("el9", "fail2ban", result)
    failed = "{{ " + task("hardening", "Install the packages").data["failed_when"] + " }}"
    assert bool(evaluate(failed, given)) is fails
    assert evaluate_assert(task("hardening", "Require that a repository has it"), given).passed


@pytest.mark.parametrize("written", [True, False])
def test_only_a_record_of_this_run_is_forgotten(written: bool):
    given = hardening("el9", "fail2ban", MISSING["dnf"])
    given["__hardening_recorded"] = {"changed": written}
    forget = task("hardening", "Forget a program that no repository has")
    when = [evaluate("{{ " + str(one) + " }}", given) for one in forget.data["when"]]
    assert all(when) is written
    assert forget.arguments["state"] == "absent"


@pytest.mark.parametrize("manager", MISSING)
def test_a_server_without_restic_is_refused(manager: str):
    given = {
        **variables(role("backup"), "el9", VARIANTS[0]),
        "__backup_package": {**MISSING[manager], "failed": False},
    }
    found = evaluate_assert(task("backup", "Require restic"), given)
    assert (found.ran, found.passed) == (True, False)
    assert "run 'sudo dnf install epel-release' on the server; then rerun" in found.message


# --- security updates ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "reported"),
    [
        ({"baseos": "updateinfo", "extras": "primary"}, False),
        ({"baseos": "primary", "epel": "updateinfo"}, True),
        ({"rhel-9-for-x86_64-baseos-rpms": "updateinfo"}, False),
        ({"mirror": "primary"}, False),
    ],
    ids=["Rocky", "Stream with EPEL", "RHEL", "unknown names"],
)
def test_repositories_without_advisories_are_reported(
    tmp_path: Path, kinds: dict[str, str], reported: bool
):
    code, changed, output = look_for_advisories(tmp_path, kinds)
    assert (code, changed) == (0, 0), output
    assert ("No security updates: the repositories of localhost" in output) == reported
    assert ("Set base_updates: all" in output) == reported


def look_for_advisories(
    tmp_path: Path, kinds: dict[str, str], **given: object
) -> tuple[int, int, str]:
    """Run that part of role base with the metadata of repositories of these kinds."""
    for name, kind in kinds.items():
        directory = tmp_path / "cache" / f"{name}-0123456789abcdef" / "repodata"
        directory.mkdir(parents=True)
        text = f'<?xml version="1.0"?>\n<repomd>\n  <data type="{kind}">\n  </data>\n</repomd>\n'
        (directory / "repomd.xml").write_text(text)
    given["__base_metadata"] = [str(tmp_path / "cache")]
    of_el9 = role("base").vars[role("base").path / "vars/RedHat.yml"]
    given["__base_advisories_in"] = of_el9["__base_advisories_in"]
    return run_tasks(tmp_path / "run", "base", "advisories.yml", given)


def test_an_upgrade_without_advisories_names_its_own_option(tmp_path: Path):
    include = task("os_upgrade", "Check that security updates can be told from others")
    assert include.arguments["tasks_from"] == "advisories_alone"
    for packages, looks in {"security": True, "all": False}.items():
        when = "{{ " + str(include.data["when"]) + " }}"
        assert evaluate(when, {"os_upgrade_packages": packages}) is looks
    code, _, output = look_for_advisories(tmp_path, {"baseos": "primary"}, **include.data["vars"])
    assert code == 0, output
    assert "playbooks/upgrade_os.yml -e os_upgrade_packages=all" in output
    assert "base_updates" not in output


@pytest.mark.parametrize(
    ("template", "system", "option"),
    [
        ("etc/dnf/automatic.conf.j2", "el9", "upgrade_type"),
        ("etc/yum/yum-cron.conf.j2", "centos7", "update_cmd"),
    ],
)
def test_all_updates_are_a_choice(template: str, system: str, option: str):
    assert f"\n{option} = security\n" in render(template, role("base"), system, VARIANTS[0])
    every = Variant("all", {"base_updates": "all"})
    assert f"\n{option} = default\n" in render(template, role("base"), system, every)


def test_dnf_automatic_does_not_sleep_in_memory():
    """Its timer has a random delay; on 1 GB an hour's sleep of a loaded dnf costs memory."""
    text = render("etc/dnf/automatic.conf.j2", role("base"), "el9", VARIANTS[0])
    assert "\nrandom_sleep = 0\n" in text


# --- paths ---------------------------------------------------------------------------------------


def commands() -> list[tuple[str, str]]:
    """Return the words of each command of the roles, with its task."""
    found = []
    for of in TREE.roles:
        for one in [*of.tasks, *of.handlers]:
            words = []
            if one.module in ("ansible.builtin.command", "ansible.builtin.shell"):
                argv = one.arguments.get("argv")
                words.append(" ".join(map(str, argv)) if isinstance(argv, list) else str(argv))
                words += [str(one.arguments.get(name, "")) for name in ("cmd", "_raw_params")]
                free = one.data.get(one.module)
                words.append(free if isinstance(free, str) else "")
            words.append(str(one.arguments.get("validate", "")))
            found += [(f"{of.name}: {one.name}", text) for text in words if text]
    return found


def test_programs_of_administrators_are_called_with_their_path():
    assert len(commands()) > 30
    bare = re.compile(rf"(?:^|[;&|(\['\"\s])(?<!/)({'|'.join(sorted(SBIN))})(?=[\s,'\"]|$)")
    own_path = {"firewalld: Read the state, the zones and the kernel's rules"}
    wrong = [
        (where, match[1])
        for where, text in commands()
        if where not in own_path and (match := bare.search(text))
    ]
    assert wrong == []


@pytest.mark.parametrize("system", SYSTEMS)
def test_only_repositories_of_the_system_decide(system: str):
    """Debian selects updates by repository, and Arch has one kind: there is nothing to compare."""
    pattern = base(system)["__base_advisories_in"]
    assert bool(pattern) == (system not in (*DEBIAN, "arch"))


# --- streams of modules --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "stream", "packages"),
    [
        ("el9", "", ["nginx"]),
        ("el9", "1.24", ["@nginx:1.24"]),
        ("centos7", "1.24", ["nginx"]),
        ("debian12", "1.24", ["nginx-light"]),
    ],
)
def test_a_stream_of_nginx_is_chosen_where_there_are_modules(
    system: str, stream: str, packages: list[str]
):
    chosen = Variant("stream", {"nginx_module_stream": stream})
    values = variables(role("nginx"), system, chosen)
    given = values["__nginx_packages"]
    assert isinstance(given, list)
    assert [evaluate(str(one), values) for one in given] == packages


# --- removal -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("interpreter", "ours", "switched"),
    [
        ("/usr/bin/python3.11", ["nginx", "python3.11"], True),
        ("/usr/bin/python3.11", ["nginx"], False),
        ("/usr/bin/python3", ["python3.11"], False),
        ("/usr/bin/python", ["python3.11"], False),
    ],
)
def test_the_python_that_runs_ansible_is_not_removed_below_it(
    interpreter: str, ours: list[str], switched: bool
):
    switch = task("uninstall", "Go on with the system's own Python")
    given = {
        "__uninstall_packages_ours": ours,
        "ansible_facts": {"discovered_interpreter_python": interpreter},
    }
    met = [bool(evaluate("{{ " + one + " }}", given)) for one in switch.data["when"]]
    assert all(met) == switched
    assert switch.arguments["ansible_python_interpreter"] == "/usr/bin/python3"
