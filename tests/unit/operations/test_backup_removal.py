"""Uninstalling removes a repository of backups on the server, and no other directory."""

from __future__ import annotations

import pytest
from rendering import evaluate
from role_tasks import task

REMOVE = task("backup", "Remove the repository on this server")
LOOK = task("backup", "Look for a repository on this server")
FOUND, NOT_FOUND = ({"stat": {"exists": exists}} for exists in (True, False))
# What a task that was left out registers.
LEFT_OUT = {"skipped": True, "changed": False}


@pytest.mark.parametrize(
    ("wanted", "registered", "removed"),
    [
        (True, FOUND, True),
        (True, NOT_FOUND, False),
        (True, LEFT_OUT, False),
        (False, FOUND, False),
        (None, FOUND, False),
    ],
)
def test_a_directory_is_removed_where_a_repository_is_in_it(
    wanted: bool | None, registered: dict[str, object], removed: bool
) -> None:
    values: dict[str, object] = {
        "backup_repository": "/mnt/disk",
        "__backup_repository": registered,
    }
    if wanted is not None:
        values["uninstall_backups"] = wanted
    found = [evaluate("{{ " + one + " }}", values) for one in REMOVE.data["when"]]
    assert all(found) is removed


@pytest.mark.parametrize(
    ("values", "is_here"),
    [
        ({"backup_repository": "/mnt/disk"}, True),
        ({"backup_repository": "sftp:b@h:toxic"}, False),
        ({"backup_repository": ""}, False),
        ({}, False),
    ],
)
def test_a_repository_elsewhere_is_not_looked_for(values: dict[str, object], is_here: bool) -> None:
    assert bool(evaluate("{{ " + LOOK.data["when"] + " }}", values)) is is_here


def test_the_file_that_every_repository_of_restic_has_is_looked_for() -> None:
    path = evaluate(LOOK.arguments["path"], {"backup_repository": "/mnt/disk"})
    assert path == "/mnt/disk/config"
