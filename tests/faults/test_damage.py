"""Damaged files of live releases, and nginx that is down: the command that is named repairs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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
# Outside of the release, whose files are all compared.
UNDAMAGED = "/run/undamaged"


@contextmanager
def damaged(server: FaultyServer, kind: str, file: str) -> Iterator[str]:
    """Append to a file of the live release; the release's directory.

    If the test fails, the release is whole again: later tests would find it live, and not healthy.
    """
    release = str(server.state()["confirmed"][kind])
    path = server.inside('ls -d "$1"/$2', release, file).strip()
    server.inside('cp --preserve "$1" "$2"', path, UNDAMAGED)
    try:
        server.inside('echo "#" >> "$1"', path)
        yield release
    finally:
        # A release that was replaced is gone by now.
        server.inside(
            'if [ -e "$1" ]; then cp --preserve "$2" "$1"; fi; rm -f "$2"; '
            "systemctl reset-failed tox_com_det-verify.service || true",
            path,
            UNDAMAGED,
        )


def is_gone(server: FaultyServer, release: str) -> bool:
    return server.inside('[ -e "$1" ] && echo there || echo gone', release).strip() == "gone"


@pytest.mark.parametrize("what", APP_FILES)
def test_damaged_app_is_installed_beside_itself(
    fault: Fault, server: FaultyServer, what: str
) -> None:
    with (
        fault(f"{what} is damaged", f"one byte more in {APP_FILES[what]} of the live app") as scene,
        damaged(server, "app", APP_FILES[what]) as release,
    ):
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
    with (
        fault(f"{file} is damaged", f"one byte more in {file} of the live model") as scene,
        damaged(server, "model", file) as release,
    ):
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
        done = scene.fails(*scene.deploy(bundle), words="run `sudo systemctl start nginx`")
        assert "stayed live" not in done.error
        scene.fails("status", words="run `sudo systemctl start nginx`")
        server.inside("systemctl start nginx")
        scene.deploys(bundle)
