"""Processes and servers that are killed."""

from __future__ import annotations

import pytest
from bundles import Bundles, read
from conftest import BACK_SECONDS, MOMENT_SECONDS, Fault, Scene, fails_for_a_moment
from faulty_server import FaultyServer, promised, wait
from under_load import Seen, end_of

BOOT_SECONDS = 60.0
RESTART_SECONDS = 1.0  # RestartSec of the slots' unit
INTERRUPTED = "an activation was interrupted"


def in_flight(seen: Seen, struck: dict[str, float]) -> int:
    """The number of requests that were sent and not answered while the kill was struck."""
    begin, end = struck["at"], struck["until"]
    return sum(one["begin"] <= end and begin <= end_of(one) for one in seen.requests)


def test_killed_worker_loses_only_the_requests_in_flight(
    fault: Fault, server: FaultyServer
) -> None:
    struck: dict[str, float] = {}

    def at_most_those_in_flight(seen: Seen) -> bool:
        return len(seen.failed) <= in_flight(seen, struck)

    with fault(
        "worker killed", "SIGKILL to the live slot's worker", may_fail=at_most_those_in_flight
    ) as scene:
        wait(lambda: len(scene.load.so_far().requests) > 100, "the load")
        struck.update(server.when("now", "", "kill-worker", "live").struck())
        asked = len(scene.load.so_far().requests)
        wait(lambda: len(scene.load.so_far().requests) > asked + 200, "the load")
        scene.unchanged()
        seen = scene.load.so_far()
        scene.note(f"in flight at the kill: {in_flight(seen, struck)}")
        scene.row.healthy = seen.longest
        scene.next_deploy_works()


def test_killed_slot_starts_again(fault: Fault, server: FaultyServer) -> None:
    with fault(
        "master of the live slot killed",
        "SIGKILL to its main process; systemd starts it again (RestartSec 1)",
        may_fail=lambda seen: fails_for_a_moment(seen, RESTART_SECONDS + MOMENT_SECONDS),
    ) as scene:
        server.when("now", "", "kill-main", "live").struck()
        wait(server.is_ready, "the service", promised(BACK_SECONDS))
        scene.unchanged()
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
def test_killed_server_boots_with_the_confirmed_release(
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
        "survives, unlike in a power cut",
        may_fail=lambda seen: seen.downtime < promised(BOOT_SECONDS),
    ) as scene:
        attempt = scene.laptop.start("fab", *scene.deploy(bundle))
        # A busy machine takes seconds to kill a container: nothing is switched meanwhile.
        server.when(condition, value, "stop-activation").struck()
        killed = server.kill()
        server.start()
        back(scene, killed)
        scene.check_failure(attempt.wait())
        wait(server.is_ready, "the service after the start", promised(BOOT_SECONDS))
        said = recovered(server, killed)
        assert (INTERRUPTED in said) == flipped, (
            f"flipped: {flipped}, but toxctl recover said: {said}"
        )
        scene.unchanged()
        scene.deploys(bundle)
        assert server.attempts()[1]["result"] == "cut off"


def recovered(server: FaultyServer, since: float) -> str:
    """What `toxctl recover` printed at boot; AssertionError if its unit did not run."""
    unit = "tox_com_det-recover"
    state = server.inside(f"systemctl show {unit} --property ExecMainExitTimestamp,Result")
    assert "ExecMainExitTimestamp=\n" not in state, f"it did not run: {state}"
    assert "Result=success" in state, state
    # The journal is in memory: the entries of the previous boot are gone.
    return server.inside(
        f'journalctl --unit {unit} --since "@$1" --no-pager --output cat', str(int(since))
    )


def back(scene: Scene, killed: float) -> None:
    """Wait for the first correct answer after the start and note how long that took."""

    def answers() -> list[float]:
        old = scene.load.so_far().answered_by(read(scene.old)["model_version"])
        return [end_of(one) for one in old if one["begin"] > killed + 0.5]

    scene.row.healthy = (
        min(wait(answers, "an answer after the start", promised(BOOT_SECONDS))) - killed
    )
