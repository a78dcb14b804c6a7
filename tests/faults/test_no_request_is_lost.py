"""Everything that is done to a server that serves, under load: no request fails, none is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from bundles import Bundles, read
from checkouts import copied
from conftest import WORK, Fault, Scene
from faulty_server import FaultyServer, wait

REPEAT_SECONDS = 5.0  # of a repeat with the same model; 2 s on a machine that does nothing else
QUICK_REQUESTS, REQUESTS = 2_000, 10_000
RATE = 60.0

Step = tuple[str, Callable[[], object]]


def repeat(scene: Scene, bundle: Path) -> None:
    done = scene.good(*scene.deploy(bundle))
    assert "nothing to do" in done.said or "live already" in done.said, done.said
    scene.tell(f"the repeat took {done.seconds:.1f} s")
    assert done.seconds < REPEAT_SECONDS, done.said


def until(scene: Scene, requests: int) -> None:
    """Let the load reach its number of requests."""
    wait(lambda: len(scene.load.so_far().requests) >= requests, "the load", requests / RATE + 60)


@pytest.mark.quick
def test_deploy_repeat_and_rollback(fault: Fault, server: FaultyServer) -> None:
    with fault(
        "none: deploy, repeat, rollback", "deploy-model, the same again, rollback", rate=RATE
    ) as scene:
        scene.good(*scene.deploy(scene.next))
        server.serves(scene.next)
        repeat(scene, scene.next)
        scene.good("rollback")
        scene.still_serves()
        until(scene, QUICK_REQUESTS)


def test_everything_that_is_done_to_a_server(
    fault: Fault, server: FaultyServer, bundles: Bundles
) -> None:
    changed = copied(WORK / "checkout-changed")
    first, second = bundles.fresh("first"), bundles.fresh_words("second")
    with fault(
        "none: all that is done to a server",
        "deploy-model of two new models (one with other words), the same again, rollback, "
        "deploy-app of a changed app, rollback, nginx reload, toxctl activate --force, site.yml "
        "with another setting and back, prune, rollback --release",
        rate=RATE,
    ) as scene:
        app = server.state()["confirmed"]["app"]
        scene.good(*scene.deploy(first))
        server.serves(first)
        repeat(scene, first)
        scene.good("restore-embeddings", "--bundle", str(second))
        scene.good(*scene.deploy(second))
        server.serves(second)
        scene.good("rollback")
        server.serves(first)

        scene.good("deploy-app", laptop=scene.laptop.in_checkout(changed))
        server.serves(first)
        assert server.state()["confirmed"]["app"] != app
        scene.good("rollback")
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
            assert play.code == 0, play.said
            server.serves(first)
        scene.good(*scene.deploy(scene.next))
        pruned = scene.good("prune", "--keep", "1", "--yes")
        assert re.search(r"\b[1-9]\d* removed", pruned.said), pruned.said
        server.serves(scene.next)
        scene.good("rollback", "--release", Path(read(first)["model_version"]).name)
        server.serves(first)
        scene.good(*scene.deploy(scene.old))
        scene.still_serves()
        until(scene, REQUESTS)
