"""Every file, user and package of a role has its removal beside it (`tasks/remove.yml`)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Set
from fnmatch import fnmatchcase
from functools import cache

import pytest
from ansible.errors import AnsibleError
from rendering import SYSTEMS, TREE, VARIANTS, evaluate, variables
from role_tree import LINE, Role, Task, tasks_in

ROLES = {role.name: role for role in TREE.roles}
LAYOUT = ROLES["layout"]
UNINSTALL = ROLES["uninstall"]
BACKUPS = next(one for one in VARIANTS if one.name == "backups_in_a_directory")
# Modules that put something on a server, and the argument that says where.
MAKERS = {
    "ansible.builtin.blockinfile": "path",
    "ansible.builtin.copy": "dest",
    "ansible.builtin.file": "path",
    "ansible.builtin.get_url": "dest",
    "ansible.builtin.template": "dest",
    "ansible.builtin.user": "name",
    "ansible.builtin.deb822_repository": "name",
    "ansible.builtin.yum_repository": "name",
    "community.general.filesize": "path",
}
SUFFIXES = {
    "ansible.builtin.deb822_repository": ".sources",
    "ansible.builtin.yum_repository": ".repo",
}
# What stays, by role and destination, and why.
STAYS = {
    ("package_sources", "/etc/pki/rpm-gpg/RPM-GPG-KEY-CentOS-7"): "the system's own package has it",
    ("tls", "/var/www"): "it goes with the last directory in it",
}
# Packages that stay whatever was there before: the login needs sudo, Ansible its Python and its
# bindings, and every system has the rest.
KEPT = {
    "ca-certificates", "iproute", "iproute2", "libselinux-python", "openssl", "policycoreutils",
    "policycoreutils-python", "policycoreutils-python-utils", "python", "python3",
    "python3-apt", "python3-libselinux", "python3-policycoreutils", "sudo",
}  # fmt: skip
PACKAGES = ("ansible.builtin.package", "ansible.builtin.apt", "ansible.builtin.dnf")


def of_removal(role: Role) -> list[Task]:
    files = sorted((role.path / "tasks").glob("remove*.yml"))
    return [task for path in files for task in tasks_in(path)]


def value_of(value: object, known: dict[str, object]) -> object:
    """Return the value on a system; None if it needs what only a run knows."""
    try:
        return evaluate(value, known)
    except (AnsibleError, TypeError, ValueError):
        return None


def items(task: Task, known: dict[str, object]) -> list[object]:
    """Return what the task's loop goes over; [None] without a loop."""
    if "loop" not in task.data:
        return [None]
    found = value_of(without_lines(task.data["loop"]), known)
    return list(found) if isinstance(found, list) else []


def without_lines(value: object) -> object:
    if isinstance(value, dict):
        return {key: without_lines(one) for key, one in value.items() if key != LINE}
    return [without_lines(one) for one in value] if isinstance(value, list) else value


def made(role: Role, system: str) -> Iterator[tuple[str, str]]:
    """Yield what the role puts on a server, with the place of the task."""
    known = variables(role, system, BACKUPS)
    stems = [str(one) for content in role.vars.values() for one in content.values()]
    own = [str(one) for one in known.values()]
    for task in role.tasks:
        argument = MAKERS.get(task.module or "")
        if argument is None or task.file.name.startswith("remove"):
            continue
        if task.arguments.get("state") == "absent" or "delegate_to" in task.data:
            continue
        if task.file.name in stems and task.file.name not in own:
            continue  # a file of tasks for another system
        where = TREE.where(task.file, task.line)
        key = argument if argument in task.arguments else "dest"
        for item in items(task, known):
            with_item = {**known, "item": item} if item is not None else known
            place = value_of(task.arguments[key], with_item)
            if place is not None:
                yield where, f"{place}{SUFFIXES.get(task.module or '', '')}"


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)


@cache
def named(name: str, system: str) -> frozenset[str]:
    """Return every text in the role's removal, as it is on the system, and in that of layout."""
    found: set[str] = set()
    for owner in (ROLES[name], LAYOUT):
        known = variables(owner, system, BACKUPS)
        for task in of_removal(owner):
            for item in items(task, known):
                with_item = {**known, "item": item} if item is not None else known
                for text in strings(without_lines(task.data)):
                    value = value_of(text, with_item)
                    found |= set(strings(value if value is not None else text))
    return frozenset(found)


def is_removed(place: str, words: Set[str]) -> bool:
    """Whether one of the words is the place, a directory above it, or a pattern for its name."""
    parents = {place}
    while place.startswith("/") and posixpath.dirname(place) not in parents:
        place = posixpath.dirname(place)
        parents.add(place)
    parents.discard("/")
    names = {posixpath.basename(one) for one in parents}
    return bool(parents & words) or any(
        fnmatchcase(name, word) for name in names for word in words if "." in word
    )


@pytest.mark.parametrize("name", [name for name in ROLES if name != "uninstall"])
def test_what_a_role_makes_is_named_in_its_removal(name: str) -> None:
    role = ROLES[name]
    missing = {
        f"{where}: {place} is not named in roles/{name}/tasks/remove.yml"
        for system in SYSTEMS
        for where, place in made(role, system)
        if (name, place) not in STAYS and not is_removed(place, named(name, system))
    }
    assert not missing, "\n".join(sorted(missing))


def test_roles_that_make_something_are_found() -> None:
    places = {place for role in TREE.roles for _, place in made(role, "debian12")}
    assert {
        "/etc/nginx/nginx.conf", "/etc/systemd/system/tox_com_det@.service", "deploy", "/swapfile",
        "/etc/ssh/sshd_config.d/00-tox_com_det.conf", "/opt/secantusdb", "tox_com_det",
        "mongodb-org-8.0.sources", "/etc/tox_com_det/backup",
    } <= places  # fmt: skip
    assert len(places) > 60


@pytest.mark.parametrize(
    ("place", "words", "removed"),
    [
        ("/etc/a/b.conf", {"/etc/a"}, True),
        ("/etc/a/b.conf", {"/etc/a/c.conf", "/"}, False),
        ("/etc/systemd/system/x@.service", {"x@.service"}, True),
        ("mongodb-org-8.0.repo", {"mongodb-org-*.repo"}, True),
        ("deploy", {"deployer"}, False),
    ],
)
def test_a_place_is_removed_by_name_by_directory_or_by_pattern(
    place: str, words: set[str], removed: bool
) -> None:
    assert is_removed(place, words) is removed


def removing() -> list[str]:
    return [role.name for role in TREE.roles if (role.path / "tasks/remove.yml").is_file()]


def test_every_removal_is_run_in_the_reverse_order_of_the_site() -> None:
    listed = UNINSTALL.vars[UNINSTALL.path / "vars/main.yml"]["__uninstall_roles"]
    assert isinstance(listed, list)
    # layout last of the directories, and the login after everything.
    assert sorted([*listed, "layout", "sudo_user"]) == sorted(removing())
    files = {"secure.yml": 0, "install.yml": 1, "serve.yml": 2}
    plays = sorted(
        (play for play in TREE.plays if play.file.name in files and play.roles),
        key=lambda play: files[play.file.name],
    )
    order = [entry["role"] for play in plays for entry in play.roles]
    with_place = [name for name in listed if name in order]
    assert with_place == sorted(with_place, key=order.index, reverse=True)


def package_names(system: str) -> Iterator[str]:
    """Yield every package that a role installs on the system."""
    for role in TREE.roles:
        known = variables(role, system, BACKUPS)
        for task in role.tasks:
            if task.module not in PACKAGES or task.arguments.get("state") != "present":
                continue
            for item in items(task, known):
                with_item = {**known, "item": item} if item is not None else known
                value = value_of(task.arguments["name"], with_item)
                yield from strings(value)


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_package_is_removable_or_stays_for_a_reason(system: str) -> None:
    known = variables(ROLES["base"], system, BACKUPS)
    optional = {*strings(known["base_packages"]), *strings(known["base_optional_packages"])}
    listed = UNINSTALL.vars[UNINSTALL.path / "vars/main.yml"]["__uninstall_packages"]
    assert isinstance(listed, list)
    assert not KEPT & set(listed)
    installed = set(package_names(system))
    assert {"sudo", "firewalld", "logrotate"} <= installed
    assert installed <= {*listed, *KEPT, *optional}


def test_defaults_that_the_removal_repeats_are_those_of_the_roles() -> None:
    base = ROLES["base"].defaults
    text = (UNINSTALL.path / "vars/main.yml").read_text(encoding="utf-8")
    for name in ("base_packages", "base_optional_packages"):
        assert f"{name} | default({base[name]!r})" in text
