"""One `ansible-playbook site.yml` upgrades a server of an earlier state and loses no request."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from conftest import OLD, Checkout, on_server
from faulty_server import wait
from under_load import Seen, UnderLoad

from tox_com_det import __version__

TOXCTL = "/usr/local/sbin/toxctl"  # CentOS 7's sudo looks for programs elsewhere
PARTS = 10


def changed(output: str) -> int:
    """Return how many tasks the recap of a playbook reports as changed."""
    counts = re.findall(r"changed=(\d+)", output)
    assert counts, output
    return sum(map(int, counts))


def no_request_lost(seen: Seen) -> None:
    """Assert that every request was answered, and answered correctly."""
    assert not seen.failed, f"{seen.summary()}: {json.dumps(seen.failed[:3])}"
    assert not seen.wrong, f"{seen.summary()}: {json.dumps(seen.wrong[:3])}"


def ran_all_the_time(seen: Seen, began: float, ended: float) -> None:
    """Assert that requests were sent in each part of the time; a busy machine sends fewer."""
    part = (ended - began) / PARTS
    parts = {int((one["begin"] - began) // part) for one in seen.requests}
    assert set(range(PARTS)) <= parts, seen.summary()


def confirmed() -> dict[str, Any]:
    """Return what the server confirmed last."""
    content: dict[str, Any] = json.loads(on_server("cat /var/lib/tox_com_det/confirmed.json"))
    return content


def test_site_yml_upgrades_the_server_under_load(new: Checkout, load: UnderLoad) -> None:
    before = confirmed()
    began = time.time()
    output = new.run("ansible-playbook", "site.yml")
    ended = time.time()
    seen = load.stop()
    print(f"upgrade in {ended - began:.0f} s: {seen.summary()}")
    no_request_lost(seen)
    ran_all_the_time(seen, began, ended)
    assert changed(output) > 0
    after = confirmed()
    assert after["model"] == before["model"]
    assert f"/{__version__}-" in after["app"]


def test_a_second_run_changes_nothing(new: Checkout) -> None:
    assert changed(new.run("ansible-playbook", "site.yml")) == 0


def test_nginx_has_taken_over_its_new_configuration(new: Checkout) -> None:
    """A running nginx refuses some files that `nginx -t` accepts, and keeps the old ones."""
    limits = json.loads(on_server("curl --silent http://127.0.0.1/limits"))
    assert limits["requests_per_second"] > 0


def test_the_programs_of_the_old_version_are_gone(new: Checkout) -> None:
    left = on_server("find /opt/tox_com_det -maxdepth 2")
    assert not re.search(r"slotctl|releasectl|run-slot", left), left
    assert on_server(f"{TOXCTL} --version").strip().endswith(__version__)


def test_the_database_password_is_stored_once(new: Checkout) -> None:
    address = on_server("grep ^TOX_COM_DET_MONGODB_URI= /etc/tox_com_det/app.env").strip()
    found = on_server(f"grep -rlF '{address}' /etc /var/lib/tox_com_det /opt/tox_com_det/toxctl")
    assert found.split() == ["/etc/tox_com_det/app.env"]


def test_the_audit_of_the_old_version_is_kept(new: Checkout) -> None:
    history = json.loads(on_server(f"{TOXCTL} --json history -n 20").splitlines()[-1])
    tasks = [attempt["task"] for attempt in history["result"]["attempts"]]
    assert {"deploy-model", "restore-embeddings"} <= set(tasks)


def test_old_and_new_releases_are_deployed_under_load(
    new: Checkout, old: Checkout, load: UnderLoad
) -> None:
    """The old app is still a release to roll back to, and its bundle can be deployed again."""
    upgraded, bundle = confirmed(), str(OLD / "build" / "bundle")
    apps = set(on_server("ls /opt/tox_com_det/releases").split())
    (old_app,) = apps - {upgraded["app"].rpartition("/")[2]}
    new.run("fab", "rollback", "--release", old_app)
    assert confirmed()["app"].endswith(old_app)
    new.run("fab", "deploy-model", "--bundle", bundle)
    new.run("fab", "rollback")
    assert confirmed()["app"] == upgraded["app"]
    new.run("fab", "test-model")
    no_request_lost(load.stop())


def test_the_server_serves_after_a_reboot(new: Checkout) -> None:
    before = confirmed()
    new.run("ansible", "tox_com_det", "--become", "-m", "ansible.builtin.reboot", "-a",
            "boot_time_command=\"cut -d' ' -f22 /proc/1/stat\"")  # fmt: skip
    assert confirmed() == before
    ready = "curl --silent --fail http://127.0.0.1/readyz || true"
    wait(lambda: on_server(ready), "the service after the reboot")
    new.run("fab", "test-model")
