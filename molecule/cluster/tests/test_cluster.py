"""Several app hosts behind a balancer. In the file's order: the last tests add and end hosts."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
import time
import uuid

import pytest
import yaml
from conftest import HANG_SECONDS, INVENTORY, SCENARIO, ask, engine, run, wait_until


def test_each_app_host_gets_requests(balancer, addresses, server):
    assert {name: one["serves"] for name, one in balancer().items()} == {"app1": True, "app2": True}
    before = {name: requests(server(name)) for name in ("app1", "app2")}
    for _ in range(20):
        status, answer = ask(addresses["lb1"])
        assert status == 200
        assert 0 <= min(answer["scores"].values()) <= max(answer["scores"].values()) <= 1
    wait_until(lambda: all(requests(server(name)) > count for name, count in before.items()))


def requests(host) -> int:
    """How many predictions are in nginx's log."""
    return host.check_output("cat /var/log/nginx/access.log").count("POST /predict")


def test_nobody_but_the_balancer_reaches_an_app_host(addresses):
    assert not any(is_open(addresses[name], 80) for name in ("app1", "app2"))
    assert is_open(addresses["lb1"], 80)


def is_open(address: str, port: int) -> bool:
    """Whether this computer can connect."""
    try:
        socket.create_connection((address, port), 10).close()
    except OSError:
        return False
    return True


def test_nobody_but_the_app_hosts_reaches_the_database(addresses, server):
    assert not is_open(addresses["lb1"], 27017)
    assert server("app1").addr(addresses["lb1"]).port(27017).is_reachable


def test_the_limits_count_clients_and_not_the_balancer(addresses, server):
    ask(addresses["lb1"])

    def client() -> str:
        log = server("app1").check_output("cat /var/log/nginx/access.log")
        log += server("app2").check_output("cat /var/log/nginx/access.log")
        return " ".join(line.split()[0] for line in log.splitlines() if "POST /predict" in line)

    wait_until(lambda: bool(client()))
    assert addresses["lb1"] not in client().split()


def test_a_claim_about_the_client_does_not_count(addresses, server):
    words = f"curl --silent --header 'X-Forwarded-For: 203.0.113.77' http://{addresses['lb1']}"

    def logs() -> str:
        paths = "/var/log/nginx/access.log"
        return "".join(server(name).check_output(f"cat {paths}") for name in ("app1", "app2"))

    before = logs().count("GET /livez")
    for _ in range(4):
        server("lb1").check_output(f"{words}/livez")
    wait_until(lambda: logs().count("GET /livez") == before + 4)  # nginx writes after a while
    assert "203.0.113.77" not in logs()


def test_a_query_is_in_no_log_of_the_balancer(addresses, server):
    canary = uuid.uuid4().hex
    server("lb1").check_output(f"curl --silent 'http://{addresses['lb1']}/livez?key={canary}'")
    log = server("lb1").check_output("journalctl --unit haproxy.service --no-pager")
    assert "GET /livez" in log
    assert canary not in log


@pytest.fixture(scope="module")
def other_bundle(tmp_path_factory):
    """The sample model with another manifest, so it is another release."""
    bundle = tmp_path_factory.mktemp("other") / "bundle"
    done = run("fab", "build-model", "--out", str(bundle), "--languages", "en,de")
    assert done.returncode == 0, done.stderr
    return bundle


def test_a_deploy_rolls_over_the_hosts_and_loses_nothing(load, other_bundle, balancer):
    with load() as sent:
        done = run("fab", "deploy-model", "--bundle", str(other_bundle))
    assert done.returncode == 0, done.stderr
    assert done.stdout.index("lb1: app1 is back") < done.stdout.index("lb1: app2 is out")
    assert sum(sent.statuses.values()) > 20
    assert (sent.failed, sent.wrong) == (0, []), sent.statuses
    assert all(one["serves"] for one in balancer().values())


def test_a_rollback_rolls_too(load):
    with load() as sent:
        done = run("fab", "rollback")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(" is back") == 2
    assert (sent.failed, sent.wrong) == (0, []), sent.statuses


def test_a_model_that_cannot_be_served_stops_at_the_first_host(load, tmp_path, balancer):
    broken = tmp_path / "broken"
    done = run("fab", "build-model", "--out", str(broken), "--embedding-name", "not_restored")
    assert done.returncode == 0, done.stderr
    with load() as sent:
        done = run("fab", "deploy-model", "--bundle", str(broken))
    assert done.returncode == 1
    assert "fab restore-embeddings" in done.stderr
    assert "failed: app1, not begun: app2" in done.stderr
    assert (sent.failed, sent.wrong) == (0, []), sent.statuses
    assert all(one["serves"] for one in balancer().values())


def test_a_roll_that_fails_at_the_second_host_can_take_the_first_one_back(
    load, other_bundle, server, balancer
):
    live = {name: model(server(name)) for name in ("app1", "app2")}
    # Nothing can be written there, as on a damaged disk.
    server("app2").check_output("mount --bind -o ro /srv/tox_com_det /srv/tox_com_det")
    try:
        server("app2").check_output("mount -o remount,ro,bind /srv/tox_com_det")
        new = other_bundle.parent / "third"
        done = run("fab", "build-model", "--out", str(new), "--languages", "en,es")
        assert done.returncode == 0, done.stderr
        with load() as sent:
            done = run("fab", "deploy-model", "--bundle", str(new), "--all-or-none")
    finally:
        server("app2").check_output("umount /srv/tox_com_det")
    assert done.returncode == 1
    assert "done: app1, failed: app2" in done.stderr
    assert "app1 returned to its previous release" in done.stderr
    assert (sent.failed, sent.wrong) == (0, []), sent.statuses
    assert {name: model(server(name)) for name in live} == live
    assert all(one["serves"] for one in balancer().values())


def model(host) -> str:
    """The path of the live model."""
    found = host.check_output("/usr/local/sbin/toxctl --json status --quick")
    return str(json.loads(found.splitlines()[-1])["result"]["confirmed"]["model"])


def test_a_host_stays_held_out_over_a_reload_of_the_balancer(server, balancer):
    server("lb1").check_output(
        "systemd-run --quiet --unit hold-out --property StandardInput=null sh -c "
        "'sleep 3600 | /usr/local/sbin/toxctl balancer hold-out app2'"
    )
    try:
        wait_until(lambda: balancer()["app2"]["status"] == "DRAIN")
        server("lb1").check_output("systemctl reload haproxy.service")
        wait_until(lambda: bool(balancer()["app1"]["serves"]))
        assert balancer()["app2"]["status"] == "DRAIN"
    finally:
        server("lb1").check_output("systemctl stop hold-out.service")
    wait_until(lambda: bool(balancer()["app2"]["serves"]))


AWAY_SECONDS = 20


def test_without_the_database_known_words_are_answered(load, addresses, server, balancer):
    with load() as sent:
        wait_until(
            lambda: sent.statuses[200] > 40
        )  # each worker of both hosts knows the words then
        server("lb1").check_output("systemctl stop secantusdb.service")
        try:
            stopped = time.monotonic()
            wait_until(lambda: not any(one["serves"] for one in balancer().values()))
            seen = sent.statuses[200]
            while time.monotonic() < stopped + AWAY_SECONDS:
                unknown = "quizzical zeppelin xylophone " + uuid.uuid4().hex
                status, answer = ask(addresses["lb1"], unknown)
                assert status == 503
                assert "error" in answer
            wait_until(lambda: sent.statuses[200] > seen + 20)
        finally:
            server("lb1").check_output("systemctl start secantusdb.service")
    assert (sent.failed, sent.wrong) == (0, []), sent.statuses
    wait_until(lambda: all(one["serves"] for one in balancer().values()))
    assert ask(addresses["lb1"], "quizzical zeppelin xylophone")[0] == 200


def test_a_key_is_valid_on_each_host(addresses, server):
    done = run("fab", "add-key", "--name", "shop")
    assert done.returncode == 0, done.stderr
    try:
        assert "app2: added the same key" in done.stdout
        lists = [
            server(name).check_output("/usr/local/sbin/toxctl keys") for name in ("app1", "app2")
        ]
        assert lists[0] == lists[1]
    finally:
        assert run("fab", "revoke-key", "--key", "shop").returncode == 0


def test_the_status_shows_the_balancers_view(addresses):
    done = run("fab", "status")
    assert done.returncode == 0, done.stderr
    assert "lb1: app hosts:" in done.stdout
    assert done.stdout.count("gets requests") == 2


def test_a_killed_nginx_costs_what_it_was_answering(load, server, balancer, addresses):
    try:
        with load() as sent:
            wait_until(lambda: sent.statuses[200] > 20)
            server("app2").run("systemctl kill --signal SIGKILL nginx.service")
            server("app2").run("systemctl mask --runtime --now nginx.service")
            wait_until(lambda: not balancer()["app2"]["serves"])
            seen = sent.statuses[200]
            wait_until(lambda: sent.statuses[200] > seen + 20)
            failed = sent.failed
    finally:
        server("app2").check_output("systemctl unmask --runtime nginx.service")
        server("app2").check_output("systemctl start nginx.service")
        wait_until(lambda: bool(balancer()["app2"]["serves"]))
    # Each of the load's threads had at most one request there.
    assert failed <= sent.THREADS, sent.statuses
    assert sent.failed == failed
    assert sent.wrong == []


ACME = {
    "tls_mode": "acme",
    "tls_names": ["toxic.test"],
    "tls_accept_terms": True,
    "tls_acme_directory": "https://localhost:14000/dir",
    "tls_acme_ca_file": str(SCENARIO / "pebble/ca.pem"),
}


def has_certificate_of(trust: ssl.SSLContext, address: str) -> bool:
    """Whether the balancer serves a certificate of the authority."""
    with socket.create_connection((address, 443), HANG_SECONDS) as plain:
        try:
            trust.wrap_socket(plain, server_hostname=address).close()
        except ssl.SSLCertVerificationError:
            return False
    return True


def answer_more(sent, count: int) -> None:
    """Wait until the load has had so many answers."""
    wait_until(lambda: sent.statuses[200] > count)


def test_the_balancer_gets_and_renews_the_certificate_of_an_authority(load, server, addresses):
    """pebble runs beside it (molecule/tls/pebble.yml). Plain HTTP comes back at the end."""
    site = ("site.yml", "--limit", "lb1")
    try:
        done = run("ansible-playbook", *site, "--extra-vars", json.dumps(ACME))
        assert done.returncode == 0, done.stdout[-2000:]
        root = "curl --silent --fail --cacert /etc/pebble/ca.pem https://localhost:15000/roots/0"
        trust = ssl.create_default_context(cadata=server("lb1").check_output(root))
        trust.check_hostname = False  # it is asked by its address
        # HAProxy reloads after the run.
        wait_until(lambda: has_certificate_of(trust, addresses["lb1"]))
        names = set()
        with load(trust) as sent:
            for _ in range(3):
                seen = sent.statuses[200]
                renewed = server("lb1").check_output(
                    "/usr/local/sbin/toxctl --json certificate renew --force"
                )
                names.add(json.loads(renewed.splitlines()[-1])["result"]["name"])
                answer_more(sent, seen + 40)
        assert len(names) == 3
        assert (sent.failed, sent.wrong) == (0, []), sent.statuses
        plain = http.client.HTTPConnection(addresses["lb1"])
        plain.request("GET", "/livez")
        assert plain.getresponse().status == 308
        plain.close()
    finally:
        done = run("ansible-playbook", *site)
    assert done.returncode == 0, done.stdout[-2000:]
    assert ask(addresses["lb1"])[0] == 200


def test_the_workers_of_a_slot_show_one_page_of_metrics(server):
    """Each app host has two (`flask_app_processes` in the inventory)."""
    name = 'tox_com_det_requests_total{route="/predict",status="200"}'

    def count() -> float:
        page = server("app1").check_output("curl --silent --fail http://127.0.0.1/metrics")
        return next(float(line.split()[-1]) for line in page.splitlines() if line.startswith(name))

    # The master and two workers of the live slot; the other one has stopped.
    wait_until(lambda: server("app1").check_output("pgrep --exact --count uwsgi") == "3")
    before = count()
    for _ in range(10):
        server("app1").check_output(
            "curl --silent --fail --header 'Content-Type: application/json' "
            '--data \'{"text": "what a lovely day"}\' http://127.0.0.1/predict'
        )
    assert count() == before + 10


def test_a_host_is_added_under_load(load, addresses, balancer):
    """As docs/scaling.md says."""
    shutil.copy(SCENARIO / "spare/nanode-app3.yml", INVENTORY)
    own = {"nginx_public_url": f"http://{addresses['lb1']}"}
    added = INVENTORY / "nanode-added.yml"
    added.write_text(yaml.safe_dump({"app": {"hosts": {"app3": own}}}))
    words = ["--extra-vars", "ansible_user=root", "--module-name", "ansible.builtin.command"]
    done = run("ansible", "app3", *words, "--args", "hostname --ip-address")
    assert done.returncode == 0, done.stderr
    own["cluster_address"] = done.stdout.split()[-1]
    added.write_text(yaml.safe_dump({"app": {"hosts": {"app3": own}}}))
    with load() as sent:
        for command in (
            ("ansible-playbook", "playbooks/bootstrap.yml", "--limit", "app3"),
            ("ansible-playbook", "site.yml", "--limit", "app3,lb1"),
            ("fab", "copy-keys"),
            ("fab", "deploy-model", "--limit", "app3"),
        ):
            done = run(*command)
            assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr)
        wait_until(lambda: balancer().get("app3", {}).get("serves", False))
        seen = sent.statuses[200]
        wait_until(lambda: sent.statuses[200] > seen + 20)
    assert (sent.failed, sent.wrong) == (0, []), sent.statuses


def test_a_host_is_taken_away_under_load(load, balancer):
    """As docs/scaling.md says; it is put back for what follows."""
    groups = INVENTORY / "hosts.yml"
    before = groups.read_text()
    assert before.count("        app2: {}\n") == 1
    nanode = INVENTORY / "nanode-app2.yml"
    kept = nanode.read_text()
    with load() as sent:
        try:
            groups.write_text(before.replace("        app2: {}\n", ""))
            nanode.unlink()
            done = run("ansible-playbook", "site.yml", "--limit", "lb1", "--tags", "balancer")
            assert done.returncode == 0, done.stdout[-2000:]
            assert sorted(balancer()) == ["app1", "app3"]
            seen = sent.statuses[200]
            wait_until(lambda: sent.statuses[200] > seen + 20)
        finally:
            groups.write_text(before)
            nanode.write_text(kept)
            done = run("ansible-playbook", "site.yml", "--limit", "lb1", "--tags", "balancer")
        assert done.returncode == 0, done.stdout[-2000:]
        wait_until(lambda: balancer().get("app2", {}).get("serves", False))
    assert (sent.failed, sent.wrong) == (0, []), sent.statuses


def test_a_container_that_is_killed_costs_what_it_was_answering(load, balancer):
    try:
        with load() as sent:
            wait_until(lambda: sent.statuses[200] > 20)
            engine("kill", "app3")
            wait_until(lambda: not balancer()["app3"]["serves"])
            seen = sent.statuses[200]
            wait_until(lambda: sent.statuses[200] > seen + 20)
            failed = sent.failed
    finally:
        # It would have another address after a start, so it is taken away as one that is lost.
        for name in ("nanode-app3.yml", "nanode-added.yml"):
            (INVENTORY / name).unlink(missing_ok=True)
        done = run("ansible-playbook", "site.yml", "--limit", "lb1", "--tags", "balancer")
    assert failed <= sent.THREADS, sent.statuses
    assert sent.failed == failed
    assert sent.wrong == []
    assert done.returncode == 0, done.stdout[-2000:]
    assert sorted(balancer()) == ["app1", "app2"]
