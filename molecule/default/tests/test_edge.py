"""The edge of the service: hostile and careless clients, and what is left of them in the logs."""

from __future__ import annotations

import contextlib
import json
import re
import resource
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

ACCESS_LOG = "/var/log/nginx/access.log"
CANARY = "canary7f3e"
PATIENCE = 60.0  # only a failure waits for so long


def until(condition: Callable[[], bool]) -> None:
    """Wait for the condition."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "the expected state was not reached"
        time.sleep(0.5)


def answer(url: str, request: bytes) -> tuple[int, bytes]:
    """Return status and body of the answer to a request that is sent as it is."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port or 80), timeout=20) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


@pytest.fixture
def rested(http, url):
    """After a flood, wait until this client is accepted again, so that other tests are."""
    yield
    until(lambda: http.get(f"{url}/readyz", timeout=10).status_code == 200)


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


def test_a_large_body_that_nobody_reads_gets_its_answer(http, url):
    for _ in range(5):
        found = http.post(f"{url}/nope", data=b"x" * 1_000_000, timeout=20)
        assert (found.status_code, found.json()["error"]["code"]) == (404, "not_found")


def test_the_command_on_the_page_has_the_address_of_the_request(http, url):
    page = http.get(f"{url}/", timeout=10).text
    assert f"curl {url}/predict " in page


def test_the_limits_of_nginx_and_of_the_service_are_told(http, url):
    limits = http.get(f"{url}/limits", headers={"X-Tox-Com-Det-Limits": "burst=1"}, timeout=10)
    assert limits.json() == {
        "texts": 32,
        "characters_per_text": 20000,
        "body_bytes": 1048576,
        "unknown_words": 4000,
        "requests_per_second": 50,
        "burst": 200,
        "connections": 50,
    }


def test_many_unknown_words_are_refused_at_once(http, url):
    texts = [" ".join(f"q{k}z{n}" for n in range(2000)) for k in range(32)]
    found = http.post(f"{url}/predict", json={"texts": texts}, timeout=20)
    assert (found.status_code, found.json()["error"]["code"]) == (413, "too_many_unknown_words")


def test_queries_and_referers_are_in_no_log(host, database, http, url):
    """Neither of a good request nor of one that fails while the database is stopped."""
    secret = {"params": {"text": f"{CANARY}query"}, "headers": {"Referer": f"http://{CANARY}ref/"}}
    assert http.get(f"{url}/livez", timeout=10, **secret).status_code == 200
    with host.sudo():
        assert host.run("systemctl stop %s", database).rc == 0
        try:
            assert http.get(f"{url}/readyz", timeout=20, **secret).status_code == 503
        finally:
            assert host.run("systemctl start %s", database).rc == 0
        until(lambda: http.get(f"{url}/readyz", timeout=20).status_code == 200)
        # The access log is written every five seconds.
        until(lambda: '"GET /readyz" 503' in host.run("tail -n 100 %s", ACCESS_LOG).stdout)
        assert "/readyz" in host.run("journalctl --no-pager -n 200 -u 'tox_com_det@*'").stdout
        found = host.run(f"journalctl --no-pager | grep -c {CANARY}")
        # sudo and sshd log this test's own commands.
        lines = host.run(f"journalctl --no-pager | grep {CANARY} | grep -vE 'sudo|sshd'").stdout
        assert lines == "", found.stdout
        assert host.run(f"grep -rl {CANARY} /var/log/nginx /var/log/mongodb").stdout == ""


def test_a_flood_of_refused_requests_leaves_a_sample_in_the_log(host, http, url, rested):
    def count() -> int:
        with host.sudo():
            return int(host.check_output(f"grep -c '\" 429 ' {ACCESS_LOG} || test $? = 1"))

    def flood(_: int) -> int:
        return sum(http.get(f"{url}/limits", timeout=20).status_code == 429 for _ in range(250))

    before = count()
    with ThreadPoolExecutor(8) as pool:
        refused = sum(pool.map(flood, range(8)))
    assert refused > 500
    # Behind all of them, as the lines are written in blocks.
    until(lambda: http.get(f"{url}/livez?end", timeout=10).status_code == 200)
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
            assert http.get(f"{url}/livez", timeout=10).status_code == 200
            # nginx has opened the new file.
            until(lambda: "/livez" in host.file(ACCESS_LOG).content_string)
        finally:
            host.run("rm -f %s.1", ACCESS_LOG)


def test_the_journal_has_a_limit(host):
    with host.sudo():
        shown = host.check_output("cat /etc/systemd/journald.conf.d/tox_com_det.conf")
    assert re.search(r"^SystemMaxUse=\d+M$", shown, re.MULTILINE)
    assert re.search(r"^RuntimeMaxUse=\d+M$", shown, re.MULTILINE)


def test_nginx_comes_back_when_it_is_killed(host, http, url):
    with host.sudo():
        old = host.file("/run/nginx.pid").content_string
        assert host.run("systemctl kill --signal KILL --kill-who main nginx.service").rc == 0
        until(lambda: host.run("systemctl is-active nginx.service").stdout.strip() == "active")
        assert host.file("/run/nginx.pid").content_string != old

    def serves() -> bool:
        try:
            return http.get(f"{url}/livez", timeout=5).status_code == 200
        except OSError:
            return False

    until(serves)


def test_half_open_headers_leave_room_for_others(http, url):
    """Before, 1,024 descriptors were all that nginx had, for 15 s a round."""
    parts = urlsplit(url)
    held = []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        # More than the workers of two processors had together.
        for _ in range(2200):
            one = socket.create_connection((parts.hostname, parts.port or 80), timeout=10)
            held.append(one)
            one.sendall(b"GET / HTTP/1.1\r\nX-Half")
        assert http.get(f"{url}/livez", timeout=10).status_code == 200
        # And they end: nginx closes them after five seconds.
        held[-1].settimeout(PATIENCE)
        with contextlib.suppress(ConnectionResetError):
            assert held[-1].recv(1) == b""
    finally:
        for one in held:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
