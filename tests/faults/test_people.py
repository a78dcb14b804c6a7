"""Laptops that go away, and two of them at once."""

from __future__ import annotations

import re

import pytest
from bundles import Bundles, read
from conftest import Fault, Scene
from cut_proxy import CutProxy
from faulty_server import FaultyServer

from controller.deploy.session import SILENT_SECONDS

PHASES = ("prepare", "upload", "verify", "activate", "confirm", "clean")
# From here on the server goes on without the laptop: the new model may be live at the end.
SWITCHING = ("activate", "confirm", "clean")


def one_of_both_serves(scene: Scene, bundle) -> None:
    """Demand that what is confirmed serves: the old model or the new one, whole."""
    scene.free()
    version = scene.server.live_model().split("-")[0]
    serving = next(one for one in (scene.old, bundle) if read(one)["model_version"] == version)
    scene.server.serves(serving)
    scene.tell("the " + ("new" if serving == bundle else "old") + " model serves")


def ended(scene: Scene) -> tuple[str, str]:
    """What the audit says of the last attempt: its result, and the phase it was in."""
    last = scene.server.attempts()[0]
    return last["result"], last["phase"]


@pytest.mark.parametrize(
    "phase",
    [pytest.param(one, marks=pytest.mark.quick) if one == "activate" else one for one in PHASES],
)
def test_ssh_that_is_killed_in_a_phase(
    fault: Fault, server: FaultyServer, bundles: Bundles, proxy: CutProxy, phase: str
) -> None:
    bundle = bundles.heavy(f"killed-{phase}") if phase == "upload" else bundles.fresh("killed")
    with fault(
        f"SSH killed in phase {phase}",
        "SIGKILL to the connection's sshd when the deploy lock names the phase",
    ) as scene:
        strike = server.when("phase", phase, "kill-ssh")
        scene.bad(*scene.deploy(bundle))
        strike.struck()
        if phase in SWITCHING:
            one_of_both_serves(scene, bundle)
        else:
            scene.still_serves()
        assert ended(scene) == ("interrupted", phase)
        scene.deploys(bundle)


def test_two_people_who_deploy_at_once(
    fault: Fault, server: FaultyServer, bundles: Bundles, proxy: CutProxy
) -> None:
    bundle = bundles.heavy("two-people")
    with fault("two people deploying at once", "a second deploy-model during an upload") as scene:
        proxy.rate = 2e6
        first = scene.laptop.through(proxy).start("fab", *scene.deploy(bundle))
        server.when("phase", "upload").struck()
        second = scene.bad(*scene.deploy(scene.next), words="is locked by")
        assert re.search(r"by \S+@\S+ with deploy-model since \d{4}-.* phase upload", second.said)
        proxy.rate = None
        done = first.wait()
        assert done.code == 0, done.said
        server.serves(bundle)


@pytest.mark.parametrize(
    "phase", ["upload", pytest.param("activate", marks=pytest.mark.quick), "confirm"]
)
def test_a_laptop_that_is_gone(
    fault: Fault, server: FaultyServer, bundles: Bundles, proxy: CutProxy, phase: str
) -> None:
    bundle = bundles.heavy("laptop-gone")
    with fault(f"laptop gone in phase {phase}", "SIGKILL to fab on the laptop") as scene:
        proxy.rate = 10e6
        attempt = scene.laptop.through(proxy).start("fab", *scene.deploy(bundle))
        server.when("phase", phase).struck()
        attempt.kill()
        if phase in SWITCHING:
            one_of_both_serves(scene, bundle)
        else:
            scene.still_serves()
        assert ended(scene) == ("interrupted", phase)
        scene.deploys(bundle)


def test_a_connection_that_is_frozen(
    fault: Fault, server: FaultyServer, bundles: Bundles, proxy: CutProxy
) -> None:
    bundle = bundles.heavy("frozen")
    with fault(
        "connection frozen during the upload",
        "a proxy lets nothing through any more and closes nothing; a second person is told, and "
        "types fab unlock",
    ) as scene:
        proxy.rate = 5e6
        attempt = scene.laptop.through(proxy).start("fab", *scene.deploy(bundle))
        server.when("uploaded", str(2 << 20)).struck()
        proxy.freeze()
        server.when("silent", str(SILENT_SECONDS)).struck()
        scene.bad(*scene.deploy(scene.next), words="fab unlock")
        scene.good("unlock")
        assert ended(scene) == ("unlocked", "upload")
        scene.still_serves()
        scene.next_deploy_works()
        scene.failed(attempt.wait())
        proxy.cut()
        server.serves(scene.next)


def test_a_host_key_that_changed(fault: Fault, bundles: Bundles) -> None:
    bundle = bundles.other()
    with fault("changed host key", "another key in the laptop's known_hosts") as scene:
        other = scene.laptop.new_host_key()
        laptop = scene.laptop.with_host_key(other, "other-key")
        scene.bad(*scene.deploy(bundle), words="ssh-keygen -R", laptop=laptop)
        scene.still_serves()
        scene.next_deploy_works()
