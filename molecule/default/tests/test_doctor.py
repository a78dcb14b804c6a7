"""`fab doctor` finds what is wrong on a server, and nothing of it afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from test_edge import laptop
from waiting import until

UNIT = "tox_com_det-test-of-doctor.service"
ENDS = "tox_com_det-test-that-ends.service"


def findings() -> set[tuple[str, str]]:
    """What is wrong: the check and the line."""
    done = laptop("fab", "doctor", "--json")
    (line,) = [one for one in done.stdout.splitlines() if one.startswith("{")]
    found = json.loads(line)["findings"]
    assert all(one["what"] and one["do"] for one in found)
    assert done.returncode == (1 if found else 0), done.stdout + done.stderr
    return {(one["check"], one["what"]) for one in found}


@pytest.fixture
def faults(host, server, http, url) -> Iterator[str]:
    """A failed unit, one that is to be started again, a full file system, and nginx stopped."""
    directory = server["incoming_dir"]
    with host.sudo():
        try:
            host.run(f"systemd-run --unit={UNIT} /bin/false")
            host.run(f"systemd-run --unit={ENDS} -p Restart=always -p RestartSec=3600 /bin/false")
            host.check_output(f"mount -t tmpfs -o size=1m,mode=711 tmpfs {directory}")
            host.check_output(f"head -c 1000000 /dev/zero > {directory}/large")
            host.check_output("systemctl stop nginx")
            until(lambda: host.run(f"systemctl is-failed {UNIT}").rc == 0)
            until(lambda: "auto-restart" in host.check_output(f"systemctl show -p SubState {ENDS}"))
            yield directory
        finally:
            host.run(f"systemctl stop {ENDS}; systemctl reset-failed {UNIT} {ENDS}")
            host.run(f"umount {directory}; systemctl start nginx")
            until(lambda: http.get(f"{url}/readyz").status_code == 200)


@pytest.fixture
def before(host) -> set[tuple[str, str]]:
    """What was wrong before: a version may be out of support by now."""
    return findings()


def test_what_is_wrong_is_found_and_gone_once_it_is_repaired(before, faults, host, http, url):
    assert not {check for check, _ in before} & {"units", "disk", "service", "firewall"}
    new = findings() - before
    assert ("units", f"{UNIT} failed") in new
    assert ("units", f"{ENDS} failed") in new
    assert ("units", "nginx.service does not run") in new
    assert any(check == "disk" and f"file system of {faults} has" in what for check, what in new)
    assert any(check == "service" for check, _ in new)


def test_nothing_is_left_of_the_faults(host, server):
    found = findings()
    assert not {check for check, _ in found} & {"units", "disk", "service"}
    assert host.run(f"mountpoint {server['incoming_dir']}").rc != 0
    page = laptop("fab", "doctor").stdout
    assert ": all is well\n" in page or page.count("\n    type: ") == len(found)
