"""The edge of the service: hostile and careless clients, and what is left of them in the logs."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from conftest import HANG_SECONDS
from waiting import PATIENCE, until

ACCESS_LOG = "/var/log/nginx/access.log"
CANARY = "canary7f3e"
CONNECTIONS = "/etc/tox_com_det-connections.nft"


def answer(url: str, request: bytes) -> tuple[int, bytes]:
    """Return status and body of the answer to a request that is sent as it is."""
    parts = urlsplit(url)
    address = (parts.hostname, parts.port or 80)
    with socket.create_connection(address, timeout=HANG_SECONDS) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


@pytest.mark.parametrize("pieces", [1, 3, 1000])
def test_a_body_in_chunks_is_scored(url, pieces):
    """As curl -T -, .NET, Go and Node send it: without Content-Length."""
    body = json.dumps({"text": "you are great " * (20 if pieces < 1000 else 1000)}).encode()
    size = -(-len(body) // pieces)
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    encoded = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    status, given = answer(
        url,
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + encoded + b"0\r\n\r\n",
    )
    assert status == 200, given
    assert b'"scores"' in given


def test_the_query_of_the_perspective_api_arrives(http, url):
    """Unlike that of other paths."""
    address = f"{url}/$discovery/rest?version=v1alpha1&prettyPrint="
    lines = [http.get(address + pretty).text.count("\n") for pretty in ("true", "false")]
    assert lines[0] > 10
    assert lines[1] <= 1


def test_a_large_body_that_nobody_reads_gets_its_answer(http, url):
    for _ in range(5):
        found = http.post(f"{url}/nope", data=b"x" * 1_000_000)
        assert (found.status_code, found.json()["error"]["code"]) == (404, "not_found")


def test_the_command_on_the_page_has_the_address_of_the_request(http, url):
    page = http.get(f"{url}/").text
    assert f"curl {url}/v1/predict " in page


def test_the_limits_of_nginx_and_of_the_service_are_told(http, url):
    limits = http.get(f"{url}/limits", headers={"X-Tox-Com-Det-Limits": "burst=1"})
    assert limits.json() == {
        "texts": 32,
        "characters_per_text": 20000,
        "body_bytes": 1048576,
        "unknown_words": 4000,
        "attributes": 100,
        "batch_requests": 1000,
        "batch_response_bytes": 4_000_000,
        "requests_per_second": 50,
        "burst": 200,
        "connections": 50,
    }


def test_many_unknown_words_are_refused_at_once(http, url):
    texts = [" ".join(f"q{k}z{n}" for n in range(2000)) for k in range(32)]
    found = http.post(f"{url}/predict", json={"texts": texts})
    assert (found.status_code, found.json()["error"]["code"]) == (413, "too_many_unknown_words")


def serves(http, url) -> bool:
    """Whether the service is ready."""
    try:
        return http.get(f"{url}/readyz").status_code == 200
    except OSError:
        return False


def live_unit(host, server) -> str:
    """The unit of the live slot, which deploys change."""
    target = host.check_output("readlink %s", server["live_link"])
    (slot,) = (name for name in server["slots"] if server["socket"].format(slot=name) == target)
    return f"tox_com_det@{slot}.service"


@contextlib.contextmanager
def hanging(host, unit: str) -> Iterator[None]:
    """A unit's processes are stopped until the end, or until the test kills them; as root."""
    try:
        assert host.run("systemctl kill --signal STOP %s", unit).rc == 0
        yield
    finally:
        # It may have none by now, between a kill and its next start.
        host.run("systemctl kill --signal CONT %s", unit)


def queued(host, server, unit: str) -> int:
    """How many connections a slot has not accepted yet."""
    slot = unit.partition("@")[2].removesuffix(".service")
    # EL has it where only root looks.
    listening = host.check_output("PATH=$PATH:/usr/sbin ss --unix --listening").splitlines()
    (line,) = (line for line in listening if server["socket"].format(slot=slot) in line)
    return int(line.split()[2])


def test_comments_queries_and_referers_are_in_no_log(host, database, http, url, server):
    """Neither of good requests nor of those that fail, whatever fails."""
    secret = {"params": {"text": f"{CANARY}query"}, "headers": {"Referer": f"http://{CANARY}ref/"}}
    unit = live_unit(host, server)

    def post(path: str = "predict", **body) -> int:
        with contextlib.suppress(OSError):
            return http.post(f"{url}/{path}", **secret, **body).status_code
        return 0

    def analyze(words: str) -> int:
        """The Perspective API, whose query holds the client's key."""
        body = {"comment": {"text": f"{CANARY} {words}"}, "requestedAttributes": {"TOXICITY": {}}}
        return post(f"v1alpha1/comments:analyze?key={CANARY}key", json=body)

    def comment(words: str) -> dict:
        return {"json": {"text": f"{CANARY} {words} you {CANARY}x"}}

    assert http.get(f"{url}/livez", **secret).status_code == 200
    assert post(**comment("good")) == 200
    assert analyze("good") == 200
    assert post(data=f'{{"text": "{CANARY}" x'.encode()) == 415
    many = {"texts": [" ".join(f"{CANARY}{k}z{n}" for n in range(900)) for k in range(32)]}
    assert post(json=many) == 413
    assert post(data=CANARY.encode() * 200_000) == 413
    with host.sudo():
        assert host.run("systemctl stop %s", database).rc == 0
        try:
            # Strangers get a result that is up to a second old.
            until(lambda: http.get(f"{url}/readyz", **secret).status_code == 503)
            assert post(**comment("without a database")) == 503
            assert analyze("without a database too") >= 500
        finally:
            assert host.run("systemctl start %s", database).rc == 0
        until(lambda: serves(http, url))
        # The connection of a request breaks while nginx waits for the response.
        with ThreadPoolExecutor(1) as pool, hanging(host, unit):
            before = queued(host, server, unit)
            broken = pool.submit(post, **comment("that breaks"))
            until(lambda: broken.done() or queued(host, server, unit) > before)
            assert host.run("systemctl kill --signal KILL %s", unit).rc == 0
            assert broken.result() == 503
        until(lambda: serves(http, url))
        # The access log is written every five seconds.
        until(lambda: '"POST /predict" 503' in host.run("tail -n 100 %s", ACCESS_LOG).stdout)
        # Of a unit that is killed systemd logs each thread.
        assert "/readyz" in host.run("journalctl --no-pager -n 2000 -u 'tox_com_det@*'").stdout
        # sudo and sshd log this test's own commands.
        lines = host.run(f"journalctl --no-pager | grep {CANARY} | grep -vE 'sudo|sshd'").stdout
        assert lines == ""
        files = (
            "find /var/log /run/log -type f -not -name '*.journal*'"
            " -not -name 'auth.log*' -not -name 'secure*'"
        )
        assert host.run(f"{files} -exec grep -l {CANARY} {{}} +").stdout == ""


def test_a_flood_of_refused_requests_leaves_a_sample_in_the_log(host, http, url, rested):
    def count() -> int:
        with host.sudo():
            return int(host.check_output(f"grep -c '\" 429 ' {ACCESS_LOG} || test $? = 1"))

    def flood(_: int) -> int:
        # Five a second are allowed, which the slowest machine exceeds.
        return sum(http.get(f"{url}/readyz").status_code == 429 for _ in range(250))

    before = count()
    with ThreadPoolExecutor(8) as pool:
        refused = sum(pool.map(flood, range(8)))
    assert refused > 500
    # Behind all of them, as the lines are written in blocks.
    until(lambda: http.get(f"{url}/livez?end").status_code == 200)
    time.sleep(6)
    assert count() - before < refused / 10


def test_logs_are_rotated_by_size(host, http, url):
    with host.sudo():
        assert host.service("tox_com_det-logrotate.timer").is_running
        assert host.service("tox_com_det-logrotate.timer").is_enabled
        assert host.run("truncate --size +21M %s", ACCESS_LOG).rc == 0
        try:
            assert host.run("systemctl start tox_com_det-logrotate.service").rc == 0
            assert host.file(f"{ACCESS_LOG}.1").size > 20 << 20
            # nginx opens the new file a moment later; until then it logs to the old one.
            until(
                lambda: (
                    http.get(f"{url}/livez").status_code == 200
                    and "/livez" in host.file(ACCESS_LOG).content_string
                )
            )
        finally:
            host.run("rm -f %s.1", ACCESS_LOG)


def test_the_journal_has_a_limit(host):
    with host.sudo():
        shown = host.check_output("cat /etc/systemd/journald.conf.d/tox_com_det.conf")
    assert re.search(r"^SystemMaxUse=\d+M$", shown, re.MULTILINE)
    assert re.search(r"^RuntimeMaxUse=\d+M$", shown, re.MULTILINE)


def test_nginx_comes_back_when_it_is_killed(host, http, url):
    with host.sudo():
        old = host.check_output("systemctl show --property MainPID nginx.service")
        assert host.run("systemctl kill --signal KILL --kill-who main nginx.service").rc == 0
        # systemd may not have noticed yet.
        until(lambda: host.check_output("systemctl show --property MainPID nginx.service") != old)
        until(lambda: host.run("systemctl is-active nginx.service").stdout.strip() == "active")
    until(lambda: serves(http, url))


@pytest.mark.parametrize("signal", ["TERM", "KILL"])
def test_nothing_stays_dead(host, database, http, url, server, signal):
    """Whatever serves comes back by itself."""
    for unit in ("nginx.service", f"{database}.service", live_unit(host, server)):
        with host.sudo():
            old = host.check_output(f"systemctl show --property MainPID {unit}")
            assert host.run(f"systemctl kill --signal {signal} --kill-who main {unit}").rc == 0
            until(lambda: host.check_output(f"systemctl show --property MainPID {unit}") != old)  # noqa: B023 (called here)
            until(lambda: host.run(f"systemctl is-active {unit}").stdout.strip() == "active")  # noqa: B023 (the same)
        until(lambda: serves(http, url))


def laptop(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a program of this checkout on the scenario's server."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MOLECULE_")},
        "ANSIBLE_INVENTORY": os.environ["MOLECULE_SCENARIO_DIRECTORY"] + "/inventory",
    }
    return subprocess.run(  # noqa: S603 (fixed words, no shell)
        [str(Path(sys.executable).with_name(command[0])), *command[1:]],
        cwd=os.environ["MOLECULE_PROJECT_DIRECTORY"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def kept_nginx(host, http, url):
    """The configuration as it was, whatever the test does to it."""
    with host.sudo():
        host.check_output("cp -a /etc/nginx/nginx.conf /root/nginx.conf.kept")
    yield
    with host.sudo():
        host.check_output("mv /root/nginx.conf.kept /etc/nginx/nginx.conf")
        # After some starts in vain systemd refuses the next one.
        host.check_output("systemctl reset-failed nginx.service; systemctl start nginx.service")
    until(lambda: serves(http, url))


@pytest.mark.usefixtures("kept_nginx")
def test_status_names_what_repairs_an_nginx_that_cannot_start(host, http, url):
    with host.sudo():
        assert host.run("sh -c 'echo broken >> /etc/nginx/nginx.conf'").rc == 0
        assert host.run("systemctl kill --signal KILL --kill-who main nginx.service").rc == 0
    until(lambda: not serves(http, url))
    with host.sudo():
        shown = host.run("toxctl status").stdout
    assert "nothing serves" in shown
    assert "`ansible-playbook site.yml --tags nginx`" in shown
    done = laptop("ansible-playbook", "site.yml", "--tags", "nginx")
    assert done.returncode == 0, done.stdout
    until(lambda: serves(http, url))


def test_an_nginx_that_keeps_its_old_configuration_stops_the_run(host, http, url):
    """A reload succeeds also where the master does not load the file."""
    command = ("ansible-playbook", "site.yml", "--tags", "nginx")
    try:
        with host.sudo():
            try:
                stop = "systemctl kill --signal STOP --kill-who main nginx.service"
                assert host.run(stop).rc == 0
                done = laptop(*command, "--extra-vars", "nginx_header_timeout=6s")
            finally:
                go_on = "systemctl kill --signal CONT --kill-who main nginx.service"
                assert host.run(go_on).rc == 0
        assert done.returncode != 0, done.stdout
        words = " ".join((done.stdout + done.stderr).split())
        assert "keeps its old configuration" in words
        assert "run `systemctl restart nginx`" in words
    finally:
        back = laptop(*command)
    assert back.returncode == 0, back.stdout
    assert "changed=0" in laptop(*command).stdout
    until(lambda: serves(http, url))


# In one command: while journald hangs, a login that is logged may wait for it.
HANGING_JOURNAL = """
systemctl stop {database}
systemctl kill --signal STOP systemd-journald.service
trap 'systemctl kill --signal CONT systemd-journald.service; systemctl start {database}' EXIT
{python} - <<'END'
import urllib.error, urllib.request
for _ in range(1000):
    try:
        urllib.request.urlopen("http://127.0.0.1:8081/live/readyz", timeout=300)
    except urllib.error.HTTPError:
        pass
END
timeout 600 systemctl restart {unit}
systemctl show --property Result {unit}
"""


def test_a_slot_stops_although_journald_hangs(host, database, python, http, url, server):
    """Each /readyz logs why the slot is not ready, until the journal's socket is full."""
    unit = live_unit(host, server)
    script = HANGING_JOURNAL.format(database=database, python=python, unit=unit)
    with host.sudo():
        since = host.check_output("date '+%Y-%m-%d %H:%M:%S'")
        assert host.check_output("sh -c %s", script) == "Result=success"
    until(lambda: serves(http, url))
    with host.sudo():
        shown = host.check_output("journalctl --no-pager --since %s -u %s", since, unit)
    assert "timed out" not in shown


def test_a_deploy_beside_a_greedy_client_is_not_rolled_back(host, http, url):
    """Its probes have a place of their own, whatever clients send."""
    words = [" ".join(f"{chr(97 + k % 26)}{n}q{k}" for n in range(2500))[:20000] for k in range(32)]
    stop, statuses = threading.Event(), set()

    def greedy() -> None:
        own = requests.Session()
        own.trust_env = False
        while not stop.is_set():
            with contextlib.suppress(OSError):
                found = own.post(f"{url}/predict", json={"texts": words}, timeout=HANG_SECONDS)
                statuses.add(found.status_code)

    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(greedy)
        try:
            until(lambda: bool(statuses))
            with host.sudo():
                done = host.run("toxctl activate --force")
        finally:
            stop.set()
    assert done.rc == 0, done.stdout + done.stderr
    assert statuses <= {200, 413, 429, 503}
    until(lambda: serves(http, url))


@pytest.fixture
def connection_limit(host):
    """Return what gives an address another limit; it has its own again at the end."""

    def change(most: int | None = None) -> None:
        if host.file(CONNECTIONS).exists:
            edit = f"s/count over [0-9]*/count over {most}/" if most else ""
            with host.sudo():
                host.check_output(f"sed '{edit}' {CONNECTIONS} | nft -f -")
        else:  # CentOS 7
            more = ("--extra-vars", f"firewalld_connections_per_address={most}") if most else ()
            assert (
                laptop("ansible-playbook", "site.yml", "--tags", "firewalld", *more).returncode == 0
            )

    yield change
    change()


def hold(url: str, held: contextlib.ExitStack, number: int) -> None:
    """Open connections on which nothing is sent."""
    parts = urlsplit(url)
    for _ in range(number):
        address = (parts.hostname, parts.port or 80)
        held.enter_context(socket.create_connection(address, HANG_SECONDS))


def test_an_address_has_a_limited_number_of_connections(host, http, url, connection_limit):
    """nginx's own limit knows nothing of a connection before its header is whole."""
    connection_limit(100)
    with contextlib.ExitStack() as held:
        hold(url, held, 90)
        # Another address, the server's own, has its answer meanwhile.
        assert host.run("curl -fsS http://127.0.0.1/livez").rc == 0
        # nginx closes each after five seconds, so a slow machine may need more of them.
        with pytest.raises(ConnectionRefusedError):
            hold(url, held, 800)
    until(lambda: serves(http, url))


def test_half_open_headers_leave_room_for_others(http, url, connection_limit):
    """Before, 1,024 descriptors were all that nginx had, for 15 s a round."""
    connection_limit(10_000)
    parts = urlsplit(url)
    held = []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        # More than the workers of two processors had together.
        for _ in range(2200):
            one = socket.create_connection((parts.hostname, parts.port or 80), HANG_SECONDS)
            held.append(one)
            one.sendall(b"GET / HTTP/1.1\r\nX-Half")
        assert http.get(f"{url}/livez").status_code == 200
        # And they end: nginx closes them after five seconds.
        held[-1].settimeout(PATIENCE)
        with contextlib.suppress(ConnectionResetError):
            assert held[-1].recv(1) == b""
    finally:
        for one in held:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
