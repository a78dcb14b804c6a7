"""Directories that a role removes as a whole, and files that it overwrites, are nobody else's."""

from __future__ import annotations

import pytest
from role_tree import PROJECT

from controller.values.backup import backup_problems
from controller.values.paths import OWN
from controller.values.problems import problems_of

SYSTEM = [
    *("/", "//", "/.", "/bin", "/boot/a", "/etc", "/etc/passwd", "/usr", "/usr/bin/", "/dev/sda"),
    *("/opt", "/opt/", "/srv", "/usr/local", "/home", "/var", "/mnt", "/proc/1", "/run/a"),
]
PROJECT_FILES = [*OWN, *(f"{one}/a" for one in OWN), "/opt/./tox_com_det"]


@pytest.mark.parametrize(
    "path",
    [
        *(*SYSTEM, *PROJECT_FILES, "/home/deploy", "/root", "/usr/local/bin", "/usr/local/lib/a"),
        *("/usr/share/a", "/var/lib/mongodb", "/opt/secantusdb/venv", "/opt/../etc", "opt/a"),
    ],
)
def test_no_installation_is_in_a_directory_of_others(path: str) -> None:
    ((_, words),) = problems_of("miniconda_prefix", path)
    assert "a directory of its own, such as /opt/name" in words


@pytest.mark.parametrize(
    "path",
    [
        *("/opt/miniconda", "/opt/a/b/", "/usr/local/conda", "/srv/conda", "/var/opt/a"),
        *("/miniconda3", "/mnt/disk/conda", "/opt/tox_com_det-conda", "/optional", "/.conda"),
        *("/root/miniconda3", "/home/deploy/miniconda3"),
    ],
)
def test_an_installation_has_a_directory_of_its_own(path: str) -> None:
    assert problems_of("miniconda_prefix", path) == []


@pytest.mark.parametrize("path", [*SYSTEM, *PROJECT_FILES, "/swap/", "/usr/swapfile"])
def test_swap_is_in_no_directory_of_the_system(path: str) -> None:
    ((_, words),) = problems_of("base_swap_path", path)
    assert "a file for swap alone, such as /swapfile" in words


@pytest.mark.parametrize("path", ["/swapfile", "/var/swap", "/mnt/disk/swap.img", "/home/swap"])
def test_swap_may_be_on_any_disk(path: str) -> None:
    assert problems_of("base_swap_path", path) == []


def test_no_other_option_names_what_a_role_removes() -> None:
    """An option that joins them needs a check of controller/values/paths.py, and a word here."""
    options = {"backup_repository", "base_swap_path", "miniconda_prefix"}
    for path in sorted((PROJECT / "roles").glob("*/tasks/remove*.yml")):
        lines = path.read_text(encoding="utf-8").splitlines()
        for line in lines:
            key, _, value = line.strip().removeprefix("- ").partition(":")
            if key == "path" and "{{" in value:
                name = value.partition("{{")[2].split()[0]
                assert name.startswith("__") or name in {*options, "item"}, (path, line)


@pytest.mark.parametrize(
    "path",
    ["/usr", "/usr/lib", "/boot", "/mnt", "/media", "/usr/local/", "/run/a", "/run/media/me"],
)
def test_a_repository_of_backups_is_no_directory_of_the_system(path: str) -> None:
    """Role backup closes it to other users, and removes it with uninstall_backups."""
    (line,) = backup_problems({"backup_repository": path, "backup_password": "a long password"})
    assert line.startswith(f"backup_repository is {path}, a directory of the system")
    assert "choose another one" in line


@pytest.mark.parametrize("path", ["/mnt/disk", "/run/media/me/disk", "/srv/backup"])
def test_a_repository_of_backups_may_be_on_any_disk(path: str) -> None:
    values = {"backup_repository": path, "backup_password": "a long password"}
    assert list(backup_problems(values)) == []
