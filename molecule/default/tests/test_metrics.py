"""/metrics through nginx: for whom, what a deploy leaves there, what promtool says."""

from __future__ import annotations

import json
import os
import re
from datetime import datetime
from pathlib import Path

import pytest

MONITORING = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"]) / "docs/monitoring"
CONFIRMED = "/var/lib/tox_com_det/confirmed.json"
# On a machine without a package of promtool there is nothing to ask.
# From Debian 13 on it has one of its own.
UNPACK = (
    "cd {directory} && {{ apt-get -qq download promtool || apt-get -qq download prometheus; }} && "
    "dpkg-deb --extract *.deb ."
)


def metrics(host) -> str:
    return host.check_output("curl --silent --fail http://127.0.0.1/metrics")


def test_only_the_server_itself_may_ask(http, url, host):
    found = http.get(f"{url}/metrics")
    assert (found.status_code, found.json()["error"]["code"]) == (403, "forbidden")
    assert "tox_com_det_info{" in metrics(host)


def test_answers_are_counted(http, url, host):
    def count() -> float:
        pattern = r'^tox_com_det_requests_total\{route="/predict",status="200"\} (\S+)$'
        return sum(map(float, re.findall(pattern, metrics(host), re.MULTILINE)))

    before = count()
    for _ in range(3):
        assert http.post(f"{url}/predict", json={"text": "you are great"}).status_code == 200
    assert count() == before + 3


def test_the_last_deploy_is_told(host):
    (found,) = re.findall(r'_last_timestamp_seconds\{event="deploy"\} (\S+)', metrics(host))
    with host.sudo():
        confirmed = json.loads(host.file(CONFIRMED).content_string)
    at = datetime.fromisoformat(confirmed["at"]).timestamp()
    assert abs(float(found) - at) <= 5


@pytest.fixture
def promtool(host):
    """The path of promtool on the server, without an installation."""
    if not host.exists("apt-get"):
        pytest.skip("promtool comes from Debian's package here")
    directory = host.check_output("mktemp -d")
    try:
        host.check_output(UNPACK.format(directory=directory))
        yield f"{directory}/usr/bin/promtool"
    finally:
        host.check_output("rm -r %s", directory)


def test_promtool_accepts_metrics_rules_and_configuration(host, promtool):
    directory = Path(promtool).parents[2]
    for name in ("prometheus.yml", "alerts.yml"):
        text = (MONITORING / name).read_text()
        host.check_output("printf %%s %s > %s", text, f"{directory}/{name}")
    found = host.run("%s check config %s", promtool, f"{directory}/prometheus.yml")
    assert found.rc == 0, found.stdout + found.stderr
    rules = (MONITORING / "alerts.yml").read_text().count("- alert: ")
    assert f"{rules} rules found" in found.stdout
    found = host.run("curl --silent http://127.0.0.1/metrics | %s check metrics", promtool)
    assert (found.rc, found.stdout + found.stderr) == (0, "")
