"""Connections that are lost, laptops that disappear, and two deploys at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bundles import Bundles, read
from conftest import Fault, Scene
from cut_proxy import CutProxy
from faulty_server import FaultyServer

from controller.deploy.session import SILENT_SECONDS

PHASES = ("prepare", "upload", "verify", "activate", "confirm", "clean")
# From here on the server continues without the laptop: the new model may be live in the end.
SWITCHING = ("activate", "confirm", "clean")


def old_or_new_is_live(scene: Scene, bundle: Path) -> None:
    """Assert that the confirmed model is live, be it the old or the new one."""
    scene.free()
    # The server may still be switching, without a laptop that holds the lock.
    scene.server.settle()
    version = scene.server.live_model().split("-")[0]
    serving = next(one for one in (scene.old, bundle) if read(one)["model_version"] == version)
    scene.server.serves(serving)
    scene.note("the " + ("new" if serving == bundle else "old") + " model is live")


def ended(scene: Scene) -> tuple[str, str]:
    """Result and phase of the last attempt in the audit log."""
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
        scene.fails(*scene.deploy(bundle))
        strike.struck()
        if phase in SWITCHING:
            old_or_new_is_live(scene, bundle)
        else:
            scene.unchanged()
        assert ended(scene) == ("interrupted", phase)
        scene.deploys(bundle)


def test_second_deploy_at_once_is_refused(
    fault: Fault, server: FaultyServer, bundles: Bundles, proxy: CutProxy
) -> None:
    bundle = bundles.heavy("two-deploys")
    with fault("two deploys at once", "a second deploy-model during an upload") as scene:
        proxy.rate = 2e6
        first = scene.laptop.through(proxy).start("fab", *scene.deploy(bundle))
        server.when("phase", "upload").struck()
        second = scene.fails(*scene.deploy(scene.next), words="is locked by")
        assert re.search(r"by \S+@\S+ with deploy-model since \d{4}-.* phase upload", second.output)
        proxy.rate = None
        done = first.wait()
        assert done.code == 0, done.output
        server.serves(bundle)


@pytest.mark.parametrize(
    "phase", ["upload", pytest.param("activate", marks=pytest.mark.quick), "confirm"]
)
def test_laptop_that_disappears_in_a_phase(
    fault: Fault, server: FaultyServer, bundles: Bundles, proxy: CutProxy, phase: str
) -> None:
    bundle = bundles.heavy("laptop-gone")
    with fault(f"laptop gone in phase {phase}", "SIGKILL to fab on the laptop") as scene:
        proxy.rate = 10e6
        attempt = scene.laptop.through(proxy).start("fab", *scene.deploy(bundle))
        server.when("phase", phase).struck()
        attempt.kill()
        if phase in SWITCHING:
            old_or_new_is_live(scene, bundle)
        else:
            scene.unchanged()
        assert ended(scene) == ("interrupted", phase)
        scene.deploys(bundle)


def test_frozen_connection_can_be_unlocked(
    fault: Fault, server: FaultyServer, bundles: Bundles, proxy: CutProxy
) -> None:
    bundle = bundles.heavy("frozen")
    with fault(
        "connection frozen during the upload",
        "a proxy forwards nothing any more and closes nothing; a second user gets a message, and "
        "runs fab unlock",
    ) as scene:
        proxy.rate = 5e6
        attempt = scene.laptop.through(proxy).start("fab", *scene.deploy(bundle))
        server.when("uploaded", str(2 << 20)).struck()
        proxy.freeze()
        server.when("silent", str(SILENT_SECONDS)).struck()
        scene.fails(*scene.deploy(scene.next), words="fab unlock")
        scene.succeeds("unlock")
        assert ended(scene) == ("unlocked", "upload")
        scene.unchanged()
        scene.next_deploy_works()
        scene.check_failure(attempt.wait())
        proxy.cut()
        server.serves(scene.next)


def test_changed_host_key_is_refused(fault: Fault, bundles: Bundles) -> None:
    bundle = bundles.other()
    with fault("changed host key", "another key in the laptop's known_hosts") as scene:
        other = scene.laptop.new_host_key()
        laptop = scene.laptop.with_host_key(other, "other-key")
        scene.fails(*scene.deploy(bundle), words="ssh-keygen -R", laptop=laptop)
        scene.unchanged()
        scene.next_deploy_works()
