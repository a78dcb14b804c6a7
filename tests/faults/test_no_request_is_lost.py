"""Every operation on a live server, under load: no request fails, no answer is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from bundles import Bundles, read
from checkouts import copied
from conftest import WORK, Fault, Scene
from faulty_server import HANG_SECONDS, FaultyServer, wait

QUICK_REQUESTS, REQUESTS = 2_000, 10_000
RATE = 60.0

Step = tuple[str, Callable[[], object]]


def repeat(scene: Scene, bundle: Path) -> None:
    done = scene.succeeds(*scene.deploy(bundle))
    assert "nothing to do" in done.output or "live already" in done.output, done.output
    scene.note(f"the repeat took {done.seconds:.1f} s")


def until(scene: Scene, requests: int) -> None:
    """Wait until the load has sent so many requests."""
    most = HANG_SECONDS + 4 * requests / RATE  # a busy machine sends fewer
    wait(lambda: len(scene.load.so_far().requests) >= requests, "the load", most)


@pytest.mark.quick
def test_deploy_repeat_and_rollback(fault: Fault, server: FaultyServer) -> None:
    with fault(
        "none: deploy, repeat, rollback", "deploy-model, the same again, rollback", rate=RATE
    ) as scene:
        scene.succeeds(*scene.deploy(scene.next))
        server.serves(scene.next)
        repeat(scene, scene.next)
        scene.succeeds("rollback")
        scene.unchanged()
        until(scene, QUICK_REQUESTS)


def test_every_operation_on_a_live_server(
    fault: Fault, server: FaultyServer, bundles: Bundles
) -> None:
    changed = copied(WORK / "checkout-changed")
    first, second = bundles.fresh("first"), bundles.fresh_words("second")
    with fault(
        "none: every operation",
        "deploy-model of two new models (one with other words), the same again, rollback, "
        "deploy-app of a changed app, rollback, nginx reload, toxctl activate --force, site.yml "
        "with another setting and back, prune, rollback --release",
        rate=RATE,
    ) as scene:
        app = server.state()["confirmed"]["app"]
        scene.succeeds(*scene.deploy(first))
        server.serves(first)
        repeat(scene, first)
        scene.succeeds("restore-embeddings", "--bundle", str(second))
        scene.succeeds(*scene.deploy(second))
        server.serves(second)
        scene.succeeds("rollback")
        server.serves(first)

        scene.succeeds("deploy-app", laptop=scene.laptop.in_checkout(changed))
        server.serves(first)
        assert server.state()["confirmed"]["app"] != app
        scene.succeeds("rollback")
        server.serves(first)
        assert server.state()["confirmed"]["app"] == app

        server.inside("nginx -t; systemctl reload nginx")
        done = server.toxctl("activate", "--force")
        assert done.returncode == 0, done.stderr
        server.serves(first)
        for texts in (31, 32):
            play = scene.laptop.start(
                "ansible-playbook", "site.yml", "--tags", "flask_app", "--extra-vars",
                f"flask_app_max_texts={texts}",
            ).wait()  # fmt: skip
            assert play.code == 0, play.output
            server.serves(first)
        scene.succeeds(*scene.deploy(scene.next))
        pruned = scene.succeeds("prune", "--keep", "1", "--yes")
        assert re.search(r"\b[1-9]\d* removed", pruned.output), pruned.output
        server.serves(scene.next)
        scene.succeeds("rollback", "--release", Path(read(first)["model_version"]).name)
        server.serves(first)
        scene.succeeds(*scene.deploy(scene.old))
        scene.unchanged()
        until(scene, REQUESTS)
