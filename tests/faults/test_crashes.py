"""Processes and machines that end without a word."""

from __future__ import annotations

import pytest
from bundles import Bundles, read
from conftest import BACK_SECONDS, MOMENT_SECONDS, Fault, Scene, fails_for_a_moment
from faulty_server import FaultyServer, wait
from under_load import Seen, end_of

BOOT_SECONDS = 60.0
RESTART_SECONDS = 1.0  # RestartSec of the slots' unit
CUT_OFF = "an activation was cut off"


def in_flight(seen: Seen, moment: float) -> int:
    """Requests that were sent and not answered at a moment."""
    return sum(one["begin"] <= moment <= end_of(one) for one in seen.requests)


def test_a_worker_that_is_killed(fault: Fault, server: FaultyServer) -> None:
    struck = {}

    def at_most_those_in_flight(seen: Seen) -> bool:
        return len(seen.failed) <= max(in_flight(seen, struck["at"]), 0)

    with fault(
        "worker killed", "SIGKILL to the live slot's worker", may_fail=at_most_those_in_flight
    ) as scene:
        wait(lambda: len(scene.load.so_far().requests) > 100, "the load")
        struck.update(server.when("now", "", "kill-worker", "live").struck())
        asked = len(scene.load.so_far().requests)
        wait(lambda: len(scene.load.so_far().requests) > asked + 200, "the load")
        scene.still_serves()
        seen = scene.load.so_far()
        scene.tell(f"in flight at the kill: {in_flight(seen, struck['at'])}")
        scene.row.healthy = seen.longest
        scene.next_deploy_works()


def test_a_slot_that_is_killed(fault: Fault, server: FaultyServer) -> None:
    with fault(
        "master of the live slot killed",
        "SIGKILL to its main process; systemd starts it again (RestartSec 1)",
        may_fail=lambda seen: fails_for_a_moment(seen, RESTART_SECONDS + MOMENT_SECONDS),
    ) as scene:
        server.when("now", "", "kill-main", "live").struck()
        wait(server.is_ready, "the service", BACK_SECONDS)
        scene.still_serves()
        scene.next_deploy_works()


@pytest.mark.at_the_end
@pytest.mark.parametrize(
    ("moment", "condition", "value", "flipped"),
    [
        ("before the flip", "candidate-starts", "", False),
        pytest.param("between flip and confirm", "flipped-for", "0", True, marks=pytest.mark.quick),
        ("during the watch", "flipped-for", "3", True),
    ],
)
def test_a_server_that_is_killed_during_a_switch(
    fault: Fault,
    server: FaultyServer,
    bundles: Bundles,
    moment: str,
    condition: str,
    value: str,
    flipped: bool,
) -> None:
    bundle = bundles.fresh("server-killed")
    with fault(
        f"server killed {moment}",
        "podman kill of the container (all its processes), podman start; the host's page cache "
        "survives, as it would not in a power cut",
        may_fail=lambda seen: seen.away < BOOT_SECONDS,
    ) as scene:
        attempt = scene.laptop.start("fab", *scene.deploy(bundle))
        server.when(condition, value).struck()
        killed = server.kill()
        server.start()
        back(scene, killed)
        scene.failed(attempt.wait())
        wait(server.is_ready, "the service after the start", BOOT_SECONDS)
        said = recovered(server, killed)
        assert (CUT_OFF in said) == flipped, f"flipped: {flipped}, but slotctl recover said: {said}"
        scene.still_serves()
        scene.deploys(bundle)
        assert server.attempts()[1]["result"] == "cut off"


def recovered(server: FaultyServer, since: float) -> str:
    """What the unit of `slotctl recover` said at the start; AssertionError if it did not run."""
    # The journal is in memory: that of the boot before is gone.
    said = server.inside(
        'journalctl --unit tox_com_det-recover --since "@$1" --no-pager --output cat',
        str(int(since)),
    )
    assert "Back to the release" in said, f"it did not run: {said}"
    return said


def back(scene: Scene, killed: float) -> None:
    """Wait for the first right answer after the start and note how long that took."""

    def answers() -> list[float]:
        old = scene.load.so_far().answered_by(read(scene.old)["model_version"])
        return [end_of(one) for one in old if one["begin"] > killed + 0.5]

    scene.row.healthy = min(wait(answers, "an answer after the start", BOOT_SECONDS)) - killed
