"""What the server had before the first run is known as long as packages of the project stay."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_run import run_tasks
from rendering import evaluate
from role_tasks import task

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
