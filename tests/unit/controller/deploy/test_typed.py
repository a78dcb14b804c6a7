"""Commands in messages keep the options that were typed."""

from __future__ import annotations

import runpy
from typing import Any

import pytest

from controller.deploy.paths import ROOT
from controller.deploy.typed import completed, typed

MINE = {"bundle": "my bundle", "inventory": "inventory/mine", "limit": "a"}
WHERE = "--inventory inventory/mine --limit a"


@pytest.fixture(scope="module", autouse=True)
def _every_task() -> None:
    runpy.run_path(str(ROOT / "fabfile.py"))  # registers every task's options


@pytest.mark.parametrize(
    ("task", "given", "message", "expected"),
    [
        ("deploy-model", {}, "rerun `fab deploy-model`", "rerun `fab deploy-model`"),
        (
            "deploy-model",
            MINE,
            "see `fab status`, then rerun `fab deploy-model`",
            f"see `fab status {WHERE}`, then rerun `fab deploy-model --bundle 'my bundle' {WHERE}`",
        ),
        (
            "deploy-model",
            MINE,
            "rerun the command",
            f"rerun `fab deploy-model --bundle 'my bundle' {WHERE}`",
        ),
        (
            "deploy-app",
            {"inventory": "x"},
            "run `fab restore-embeddings deploy-model` first",
            "run `fab restore-embeddings --inventory x deploy-model --inventory x` first",
        ),
        ("deploy-model", MINE, "run `fab build-model`", "run `fab build-model --out 'my bundle'`"),
        (
            "deploy-model",
            MINE,
            "run `ansible-playbook site.yml` to upgrade it",
            f"run `ansible-playbook site.yml {WHERE}` to upgrade it",
        ),
        (
            "deploy-model",
            MINE,
            "run `ansible-playbook site.yml --tags flask_app`, then rerun the command",
            f"run `ansible-playbook site.yml --tags flask_app {WHERE}`, then rerun "
            f"`fab deploy-model --bundle 'my bundle' {WHERE}`",
        ),
        (
            "doctor",
            {"inventory": "x"},
            "`ansible-playbook playbooks/upgrade_os.yml -e os_upgrade_reboot=auto`",
            "`ansible-playbook playbooks/upgrade_os.yml -e os_upgrade_reboot=auto --inventory x`",
        ),
        (
            "status",
            MINE,
            "run `ansible-playbook site.yml --limit balancer`",
            "run `ansible-playbook site.yml --limit balancer --inventory inventory/mine`",
        ),
        # A database may be on another host than the service.
        (
            "deploy-model",
            MINE,
            "start the database with `ansible-playbook site.yml --tags mongodb`",
            "start the database with "
            "`ansible-playbook site.yml --tags mongodb --inventory inventory/mine`",
        ),
        # Nor are the balancers, where a cluster's TLS ends.
        *(
            (
                "deploy-model",
                MINE,
                f"run `ansible-playbook site.yml --tags {tag}`",
                f"run `ansible-playbook site.yml --tags {tag} --inventory inventory/mine`",
            )
            for tag in ("balancer", "tls")
        ),
        ("prune", {"keep": 3}, "run `fab prune --yes`", "run `fab prune --keep 3 --yes`"),
        ("prune", {"yes": True}, "rerun `fab prune`", "rerun `fab prune --yes`"),
        # Another release than the one that was typed.
        (
            "rollback",
            {"release": "m1", "limit": "a"},
            "`fab rollback` returns to the previous release",
            "`fab rollback --limit a` returns to the previous release",
        ),
        (
            "rollback",
            {"release": "m1"},
            "rerun `fab rollback`",
            "rerun `fab rollback --release m1`",
        ),
        ("status", {"limit": "a"}, "is `fab unlock`ed", "is `fab unlock --limit a`ed"),
    ],
)
def test_options_of_the_typed_command_are_kept(
    task: str, given: dict[str, Any], message: str, expected: str
) -> None:
    with typed(task, given):
        assert completed(message) == expected
    assert completed(message) == message
