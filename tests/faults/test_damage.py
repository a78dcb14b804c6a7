"""Damaged files of live releases, and nginx that is down: the command that is named repairs it."""

from __future__ import annotations

import pytest
from bundles import Bundles
from conftest import Fault
from faulty_server import FaultyServer

VERIFY = ("status", "--verify")
# Not read by a slot that runs: the damage shows at the next start, unless it is looked for.
APP_FILES = {
    "a file of the app": "tox_com_det/http/page.py",
    "a file of its environment": "venv/lib/python3*/site-packages/werkzeug/utils.py",
}


def damage(server: FaultyServer, kind: str, file: str) -> str:
    """Append to a file of the live release; return the release's directory."""
    release = str(server.state()["confirmed"][kind])
    server.inside('echo "#" >> "$(ls -d "$1"/$2)"', release, file)
    return release


def is_gone(server: FaultyServer, release: str) -> bool:
    return server.inside('[ -e "$1" ] && echo there || echo gone', release).strip() == "gone"


@pytest.mark.parametrize("what", APP_FILES)
def test_damaged_app_is_installed_beside_itself(
    fault: Fault, server: FaultyServer, what: str
) -> None:
    with fault(
        f"{what} is damaged", f"one byte more in {APP_FILES[what]} of the live app"
    ) as scene:
        release = damage(server, "app", APP_FILES[what])
        file = APP_FILES[what].rsplit("/", 1)[-1]
        done = scene.fails(*VERIFY, words="run `fab deploy-app`")
        assert f"{file} differs" in done.error
        scene.succeeds("deploy-app")
        assert server.state()["confirmed"]["app"] != release
        scene.unchanged()
        assert is_gone(server, release)
        scene.succeeds(*VERIFY)


@pytest.mark.parametrize(
    "file", ["head.onnx", pytest.param("manifest.json", marks=pytest.mark.quick)]
)
def test_damaged_model_is_deployed_beside_itself(
    fault: Fault, server: FaultyServer, bundles: Bundles, file: str
) -> None:
    with fault(f"{file} is damaged", f"one byte more in {file} of the live model") as scene:
        release = damage(server, "model", file)
        done = scene.fails(*VERIFY, words="run `fab deploy-model`")
        assert f"{file} differs" in done.error
        unit = server.run("systemctl", "start", "tox_com_det-verify.service")
        assert unit.returncode != 0
        assert server.run("systemctl", "is-failed", "tox_com_det-verify.service").returncode == 0
        scene.deploys(scene.old)
        assert server.state()["confirmed"]["model"] != release
        assert is_gone(server, release)
        scene.succeeds(*VERIFY)
        assert server.run("systemctl", "is-failed", "tox_com_det-verify.service").returncode != 0
        scene.deploys(scene.old)


def test_nginx_that_is_down_is_named_and_started(
    fault: Fault, server: FaultyServer, bundles: Bundles
) -> None:
    bundle = bundles.fresh("no-nginx")
    with fault("nginx is stopped", "systemctl stop nginx", may_fail=lambda _: True) as scene:
        server.inside("systemctl stop nginx")
        done = scene.fails(*scene.deploy(bundle), words="run `systemctl start nginx`")
        assert "stayed live" not in done.error
        scene.fails("status", words="run `systemctl start nginx`")
        server.inside("systemctl start nginx")
        scene.deploys(bundle)
