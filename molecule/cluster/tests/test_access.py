"""Who gets at the database, and what `fab doctor` and `site.yml` find on each host."""

from __future__ import annotations

import json

from conftest import run, wait_until


def test_the_database_is_asked_over_tls_with_a_login(server, addresses):
    """From an app host, with the driver that the service has."""
    code = """
import sys, pymongo
try:
    client = pymongo.MongoClient(sys.argv[1], serverSelectionTimeoutMS=3000)
    client.word_embeddings.list_collection_names()
except pymongo.errors.PyMongoError as error:
    print(type(error).__name__)
else:
    print("answers")
"""
    host = server("app1")
    line = host.check_output("grep ^TOX_COM_DET_MONGODB_URI= /etc/tox_com_det/app.env")
    uri = line.partition("=")[2].strip("'\"")
    address = f"{addresses['lb1']}:27017"
    assert f"tox_com_det:password%20of%20the%20service@{address}" in uri
    tried = {
        "its own": uri,
        "wrong password": uri.replace("of%20the%20service", "of%20another"),
        "no login": uri.replace("tox_com_det:password%20of%20the%20service@", ""),
        "no TLS": uri.split("&tls=")[0],
        "another authority": uri.split("&tlsCAFile=")[0],
    }
    python = "/opt/tox_com_det/current-app/venv/bin/python"
    found = {
        name: host.check_output(f"{python} -c %s %s", code, one) for name, one in tried.items()
    }
    assert found == {
        "its own": "answers",
        "wrong password": "OperationFailure",
        "no login": "OperationFailure",
        "no TLS": "ServerSelectionTimeoutError",
        "another authority": "ServerSelectionTimeoutError",
    }


def findings() -> dict[str, set[tuple[str, str]]]:
    """What `fab doctor` finds on each host: the check and the line."""
    done = run("fab", "doctor", "--json")
    pages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {
        page["server"]: {(one["check"], one["what"]) for one in page["findings"]} for page in pages
    }


def test_the_doctor_looks_at_each_host(server, balancer):
    before = findings()
    assert sorted(before) == ["app1", "app2", "lb1"]
    assert not {check for checks in before.values() for check, _ in checks} & {
        "balancer", "units", "service", "firewall",
    }  # fmt: skip
    try:
        server("app2").check_output("systemctl stop nginx.service")
        server("lb1").check_output("systemctl stop secantusdb.service")
        wait_until(lambda: not any(one["serves"] for one in balancer().values()))
        found = {name: lines - before[name] for name, lines in findings().items()}
    finally:
        server("lb1").check_output("systemctl start secantusdb.service")
        server("app2").check_output("systemctl start nginx.service")
        wait_until(lambda: all(one["serves"] for one in balancer().values()))
    assert ("units", "nginx.service does not run") in found["app2"]
    assert ("units", "secantusdb.service does not run") in found["lb1"]
    assert sum(what.startswith(("app1 gets", "app2 gets")) for _, what in found["lb1"]) == 2


def test_the_run_verifies_what_each_host_exposes():
    done = run("ansible-playbook", "site.yml", "--tags", "exposure", "--limit", "lb1,app1")
    assert done.returncode == 0, done.stdout[-2000:]
    for line in ("metrics of HAProxy", "/readyz: 200, ready"):
        assert line in done.stdout
