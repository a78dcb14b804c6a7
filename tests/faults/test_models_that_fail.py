"""Models and apps that must not go live, or not stay live."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from bundles import Bundles, read
from checkouts import copied
from conftest import BACK_SECONDS, WORK, Fault, Scene, fails_for_a_moment
from faulty_server import FaultyServer, promised
from under_load import Seen, end_of

# Few enough that the load can wait for all unanswered requests.
HANG_RATE = 10.0


def pids(server: FaultyServer) -> tuple[int, int]:
    """Main processes of the database and of the live slot."""
    state = server.state()
    return state["database"], state["slots"][state["live"]]["pid"]


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        pytest.param(
            "head that answers wrongly", Bundles.wrong, "golden output", marks=pytest.mark.quick
        ),
        ("head that gives NaN", Bundles.not_a_number, "not a number"),
        pytest.param(
            "head that needs 600 MB", Bundles.hungry, "while it loaded", marks=pytest.mark.quick
        ),
        ("manifest of another model", Bundles.mixed, "does not match its manifest"),
    ],
    ids=["wrong", "nan", "memory", "mixed"],
)  # fmt: skip
def test_model_that_fails_its_verification_does_not_go_live(
    fault: Fault,
    server: FaultyServer,
    bundles: Bundles,
    name: str,
    make: Callable[[Bundles], Path],
    words: str,
) -> None:
    bundle = make(bundles)
    with fault(name, "deploy-model of it") as scene:
        before = pids(server)
        scene.fails(*scene.deploy(bundle), words=words)
        assert pids(server) == before, "the database or the live slot was restarted"
        scene.unchanged()
        scene.next_deploy_works()


@pytest.mark.parametrize("make", [Bundles.wrong, Bundles.not_a_number, Bundles.hungry])
def test_model_that_bypasses_the_verification_does_not_go_live(
    fault: Fault, server: FaultyServer, bundles: Bundles, make: Callable[[Bundles], Path]
) -> None:
    """The health check of the idle slot is the second gate; here it is the only one."""
    bundle = make(bundles)
    directory = f"{server.config['models_dir']}/{read(bundle)['model_version']}"
    with fault(
        f"{make.__name__.replace('_', ' ')} without verification",
        "its release copied to the server by hand, toxctl activate --model",
    ) as scene:
        before = pids(server)
        try:
            for file in ("manifest.json", "head.onnx"):
                server.put(bundle / file, f"/run/{file}")
                server.inside(
                    'install -d "$1"; install -m 0644 "/run/$2" "$1/$2"; rm "/run/$2"',
                    directory,
                    file,
                )
            server.inside('touch "$1/.complete"', directory)
            done = server.toxctl("activate", "--model", directory, "--deadline", "30")
            assert done.returncode == 1, done.stdout
            scene.note(done.stderr.splitlines()[0])
            assert pids(server) == before, "the database or the live slot was restarted"
            scene.unchanged()
        finally:
            # If it is live after all, the repair after the test needs a slot that runs.
            if server.state()["confirmed"].get("model") != directory:
                server.inside('rm -rf "$1"', directory)
        scene.next_deploy_works()


def test_release_with_files_of_two_models_does_not_go_live(
    fault: Fault, server: FaultyServer, bundles: Bundles
) -> None:
    bundle = bundles.fresh("mixed-on-server")
    models = server.config["models_dir"]
    with fault(
        "manifest of another model on the server",
        "the new model's manifest overwritten with the live one's (hook before-verify)",
    ) as scene:
        copy = server.command(
            "cp",
            f"{models}/{read(scene.old)['model_version']}/manifest.json",
            f"{models}/{read(bundle)['model_version']}/manifest.json",
        )
        laptop = scene.laptop.with_hooks(before_verify=shlex.join(copy))
        scene.fails(*scene.deploy(bundle), laptop=laptop)
        scene.unchanged()
        scene.deploys(bundle)


def back_seconds(scene: Scene, crash: float) -> float:
    """Seconds from a crash to the first answer of the old model."""
    old = scene.load.so_far().answered_by(read(scene.old)["model_version"])
    return min(end_of(one) for one in old if end_of(one) > crash) - crash


@pytest.mark.quick
def test_candidate_that_crashes_a_second_after_the_switch_is_rolled_back(
    fault: Fault, server: FaultyServer
) -> None:
    with fault(
        "crash a second after the switch",
        "SIGKILL to the new slot's main process a second after the live link names it",
        may_fail=fails_for_a_moment,
    ) as scene:
        # Before the deploy: a busy machine may need longer to start it than the watch lasts.
        strike = server.when("flipped-for", "1", "kill-main", "live")
        scene.fails(*scene.deploy(scene.next), words="after the switch")
        crash = strike.struck()["at"]
        scene.unchanged()
        scene.row.healthy = back_seconds(scene, crash)
        assert scene.row.healthy < promised(BACK_SECONDS)
        scene.next_deploy_works()


def test_candidate_that_hangs_after_the_switch_is_rolled_back(
    fault: Fault, server: FaultyServer
) -> None:
    struck: dict[str, float] = {}

    def only_while_it_hung(seen: Seen) -> bool:
        begin, end = struck["at"], struck["at"] + promised(BACK_SECONDS)
        during = all(end_of(one) > begin and one["begin"] < end for one in seen.failed)
        return during and len(seen.failed) <= HANG_RATE * promised(BACK_SECONDS)

    with fault(
        "candidate hangs after the switch",
        "SIGSTOP to the new slot's master and worker a second after the switch",
        may_fail=only_while_it_hung,
        rate=HANG_RATE,
    ) as scene:
        strike = server.when("flipped-for", "1", "hang", "live")
        scene.fails(*scene.deploy(scene.next), words="after the switch")
        struck.update(strike.struck())
        scene.unchanged()
        scene.row.healthy = recovery_seconds(scene, struck["at"])
        assert scene.row.healthy < promised(BACK_SECONDS)
        scene.next_deploy_works()


def recovery_seconds(scene: Scene, hung: float) -> float:
    """Seconds until the old model answered a request that was sent after the switch."""
    old = scene.load.so_far().answered_by(read(scene.old)["model_version"])
    return min(end_of(one) for one in old if one["begin"] > hung) - hung


def test_app_that_crashes_a_second_after_the_switch_is_rolled_back(
    fault: Fault, server: FaultyServer
) -> None:
    fatal = copied(WORK / "checkout-fatal", fatal=True)
    with fault(
        "app that crashes a second after the switch",
        "deploy-app of an app that kills its own master a second after it is live",
        may_fail=fails_for_a_moment,
    ) as scene:
        app = server.state()["confirmed"]["app"]
        done = scene.fails(
            "deploy-app", words="after the switch", laptop=scene.laptop.in_checkout(fatal)
        )
        assert "journal" in done.output
        scene.unchanged()
        assert server.state()["confirmed"]["app"] == app
        seen = scene.load.so_far()
        scene.row.healthy = seen.downtime
        scene.next_deploy_works()
        assert server.state()["confirmed"]["app"] == app
