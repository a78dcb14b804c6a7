"""Damaged word vectors, and a database that fails during a restore."""

from __future__ import annotations

from pathlib import Path

import pytest
from bundles import Bundles, read
from conftest import Fault
from faulty_server import FaultyServer, wait

# The last line before the first word is written to the database, which takes some seconds.
RESTORING = r"checking +100 %"
STAND_IN = "SecantusDB stands in for MongoDB"


def restore(bundle: Path) -> tuple[str, ...]:
    return ("restore-embeddings", "--bundle", str(bundle))


def missing(documents: list[dict]) -> None:
    del documents[len(documents) // 2]


def doubled(documents: list[dict]) -> None:
    documents.insert(len(documents) // 2, documents[len(documents) // 2])


def changed(documents: list[dict]) -> None:
    one = documents[len(documents) // 2]
    one["vector"] = bytes([one["vector"][0] ^ 1]) + one["vector"][1:]


def has_collection(server: FaultyServer, bundle: Path) -> bool:
    """Whether the server has the bundle's word vectors, by the app's own check."""
    path = f"/run/{read(bundle)['model_version']}.json"
    server.put(bundle / "manifest.json", path)
    return (
        server.app("tox_com_det.store.restore", "--manifest", path, "--check-only").returncode == 0
    )


@pytest.mark.parametrize("change", [missing, doubled, changed])
def test_dump_that_does_not_match_its_manifest_is_refused(
    fault: Fault, server: FaultyServer, bundles: Bundles, change
) -> None:
    whole = bundles.fresh_words(f"dump-{change.__name__}")
    broken = bundles.with_dump(whole, f"dump-{change.__name__}-broken", change)
    with fault(
        f"dump with a {change.__name__} document", "restore-embeddings of it, then of the good one"
    ) as scene:
        scene.fails(*restore(broken))
        assert not has_collection(server, whole)
        scene.unchanged()
        scene.fails(*scene.deploy(broken), words="fab restore-embeddings")
        scene.succeeds(*restore(whole))
        assert has_collection(server, whole)
        scene.deploys(whole)


def test_stopped_database_is_reported_and_the_service_recovers(
    fault: Fault, server: FaultyServer, bundles: Bundles
) -> None:
    bundle = bundles.fresh_words("database-stopped")
    with fault(
        "database stopped",
        f"systemctl stop, restore-embeddings and deploy-model, systemctl start ({STAND_IN}); "
        "the words of the load are in the worker's cache",
    ) as scene:
        server.inside(f"systemctl stop {server.database}")
        try:
            scene.fails(*restore(bundle), words="does not answer")
            scene.fails(*scene.deploy(scene.next), words="does not answer")
        finally:
            server.inside(f"systemctl start {server.database}")
        wait(server.is_ready, "the service with its database back")
        scene.unchanged()
        scene.next_deploy_works()


def test_database_that_is_killed_during_a_restore(
    fault: Fault, server: FaultyServer, bundles: Bundles
) -> None:
    bundle = bundles.big()
    with fault(
        "database killed during a restore",
        f"SIGKILL when a part of 200,000 words is written ({STAND_IN}, both store their data with "
        "WiredTiger); then the same command again",
    ) as scene:
        attempt = scene.laptop.start("fab", *restore(bundle))
        attempt.wait_for(RESTORING)
        server.inside(f"systemctl kill --signal KILL --kill-who main {server.database}")
        scene.check_failure(attempt.wait(), "does not answer")
        assert not has_collection(server, bundle)
        wait(server.is_ready, "the service with its database back")
        scene.unchanged()
        scene.succeeds(*restore(bundle))
        assert has_collection(server, bundle)
        scene.next_deploy_works()


@pytest.mark.parametrize("left", [15 << 20, 0], ids=["some", "none"])
def test_disk_that_fills_up_during_a_restore(
    fault: Fault, server: FaultyServer, bundles: Bundles, left: int
) -> None:
    bundle = bundles.big()
    with fault(
        f"disk full during a restore: {left >> 20} MB left",
        "the database on a small disk, which shrinks when a part of 200,000 words is written "
        f"({STAND_IN}; MongoDB stops at a full disk and its unit starts it again)",
    ) as scene:
        with server.small_disk(server.storage, 700 << 20, server.database):
            attempt = scene.laptop.start("fab", *restore(bundle))
            attempt.wait_for(RESTORING)
            server.fill_small_disk(left)
            scene.check_failure(attempt.wait(), "fab prune")
        wait(server.is_ready, "the service with its database back")
        assert not has_collection(server, bundle)
        scene.unchanged()
        scene.succeeds(*restore(bundle))
        assert has_collection(server, bundle)
        scene.next_deploy_works()


def test_full_disk_is_reported_before_a_restore(
    fault: Fault, server: FaultyServer, bundles: Bundles
) -> None:
    bundle = bundles.big()
    with fault(
        "disk full before a restore", "the database on a disk with 15 MB free, a restore of 27 MB"
    ) as scene:
        with server.small_disk(server.storage, 15 << 20, server.database):
            scene.fails(*restore(bundle), words="free")
        wait(server.is_ready, "the service with its database back")
        scene.unchanged()
        scene.next_deploy_works()
