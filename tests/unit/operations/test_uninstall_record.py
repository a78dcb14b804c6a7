"""What the server had before the first run is known as long as packages of the project stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_run import run_tasks
from rendering import SYSTEMS, VARIANTS, evaluate, variables
from role_tasks import role, task

STAYS = task("uninstall", "Remove the project's directories").data["vars"]["__layout_before_stays"]


@pytest.mark.parametrize(
    ("ours", "packages", "stays"),
    [(["nginx"], "false", True), (["nginx"], "true", False), ([], "false", False)],
)
def test_it_stays_with_packages(ours: list[str], packages: str, stays: bool):
    given = {"__uninstall_packages_ours": ours, "uninstall_packages": packages}
    assert evaluate(STAYS, given) is stays


@pytest.mark.parametrize(
    ("data", "stays", "left"),
    [
        ("true", True, {"before"}),
        ("true", False, set()),
        ("false", False, {"before", "deploys.jsonl"}),
    ],
)
def test_the_removal_leaves_it_and_data_by_request(
    tmp_path: Path, data: str, stays: bool, left: set[str]
):
    state = tmp_path / "state"
    (state / "before").mkdir(parents=True)
    (state / "before/packages.json").write_text("[]")
    (state / "deploys.jsonl").write_text("")
    (state / "applied").mkdir()
    others = ("etc", "opt", "srv", "acme_webroot")
    given = {
        **{f"__layout_{name}": str(tmp_path / name) for name in others},
        "__layout_state": str(state),
        "__layout_before_stays": stays,
        "uninstall_data": data,
    }
    status, _, output = run_tasks(tmp_path / "run", "layout", "remove.yml", given)
    assert status == 0, output
    assert ({path.name for path in state.iterdir()} if state.exists() else set()) == left


@pytest.mark.parametrize(
    ("left", "lines"),
    [
        ([], []),
        (["/var/lib/mongodb"], ["Data is left in /var/lib/mongodb"]),
        (["/var/backups/mine"], ["Backups are left in /var/backups/mine, and"]),
        (
            ["/srv/a", "/srv/b", "/var/backups/mine"],
            ["Data is left in /srv/a, /srv/b: another", "Backups are left in /var/backups/mine,"],
        ),
    ],
)
def test_the_report_names_the_option_that_removes_each(left: list[str], lines: list[str]):
    """uninstall_data does not remove backups."""
    found = {
        **variables(role("uninstall"), "debian13", VARIANTS[0]),
        "ansible_facts": {**SYSTEMS["debian13"], "packages": {}},
        "__uninstall_before": {"packages": []},
        "__uninstall_found": {
            "results": [
                {"item": place, "stat": {"exists": place in left}} for place in ["/srv/c", *left]
            ]
        },
        "backup_repository": "/var/backups/mine",
        "uninstall_sudo_user": "true",
    }
    told: Any = evaluate("{{ __uninstall_report }}", found)
    *report, journal = told
    assert "journal" in journal
    assert len(report) == len(lines)
    for line, begin in zip(report, lines, strict=True):
        assert line.startswith(begin)
        option = "uninstall_data" if begin.startswith("Data") else "uninstall_backups"
        assert f"{option}=true removes" in line
        assert line.count("=true") == 1
