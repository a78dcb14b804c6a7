"""API keys on a server: added from the laptop, in force at once; and errors of nginx itself."""

from __future__ import annotations

import json
import re
import secrets
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from conftest import HANG_SECONDS
from test_edge import answer, laptop, live_unit

KEY = re.compile(r"^toxcomdet_[A-Za-z0-9]{32}$", re.MULTILINE)
ANALYZE = "/v1alpha1/comments:analyze"
REQUEST = {"comment": {"text": "you are great"}, "requestedAttributes": {"TOXICITY": {}}}


@pytest.fixture
def name(host) -> Iterator[str]:
    """Of a key that the test adds; it is gone afterwards."""
    name = f"test-{secrets.token_hex(4)}"
    with host.sudo():
        had_keys = host.file("/etc/tox_com_det/keys.json").exists
    yield name
    with host.sudo():
        host.run(f"toxctl keys --revoke {name}")
        if not had_keys:
            host.run("rm -f /etc/tox_com_det/keys.json")


def add_key(name: str, *options: str) -> str:
    done = laptop("fab", "add-key", "--name", name, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    (key,) = KEY.findall(done.stdout)
    return key


def main_pid(host, unit: str) -> str:
    with host.sudo():
        return host.check_output(f"systemctl show --property MainPID {unit}")


def test_a_key_is_in_force_without_a_restart_until_it_is_revoked(host, http, url, server, name):
    unit = live_unit(host, server)
    before = main_pid(host, unit)
    key = add_key(name, "--rate", "1", "--ends", "2999-12-31")

    def analyze():
        return http.post(url + ANALYZE, json=REQUEST, headers={"X-Goog-Api-Key": key})

    first = analyze()
    assert (first.status_code, first.headers["RateLimit-Limit"]) == (200, "4")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: analyze(), range(40)))
    refused = [one for one in found if one.status_code == 429]
    assert refused[0].json()["error"]["details"][0]["reason"] == "RATE_LIMIT_EXCEEDED"
    assert refused[0].headers["Retry-After"] == "1"
    listed = laptop("fab", "list-keys").stdout
    assert re.search(rf"{name} +1/s +2999-12-31 ", listed)
    assert not KEY.search(listed)
    assert laptop("fab", "revoke-key", "--key", name).returncode == 0
    after = analyze()
    assert after.status_code == 200
    assert "RateLimit-Limit" not in after.headers
    assert main_pid(host, unit) == before


def test_only_the_service_may_read_the_hashes(host, server, name):
    add_key(name)
    with host.sudo():
        file = host.file("/etc/tox_com_det/keys.json")
        assert (file.user, file.group, file.mode) == ("root", server["user"], 0o640)


def test_the_holder_of_a_key_may_have_hundreds_of_connections(url, name):
    """All of them send at the same moment; without a key 50 may."""
    key = add_key(name)
    parts = urlsplit(url)
    body = json.dumps(REQUEST).encode()
    head = f"POST {ANALYZE}?key={key} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    held = []
    try:
        for _ in range(200):
            one = socket.create_connection((parts.hostname, parts.port or 80), HANG_SECONDS)
            held.append(one)
        for _ in range(2):
            for one in held:
                one.sendall(head.encode() + body)
            statuses = Counter(status_of(one) for one in held)
            # A machine that is too slow for its turns says that it is busy; a limit would be a 429.
            assert set(statuses) <= {200, "busy"}, statuses
            assert statuses[200] > 50
    finally:
        for one in held:
            one.close()


def status_of(connection: socket.socket) -> int | str:
    """Read one response, a status or `busy`; its connection stays open."""
    with connection.makefile("rb") as file:
        status = int(file.readline().split()[1])
        length = 0
        while line := file.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        body = file.read(length)
    return "busy" if b"The server is busy" in body else status


@pytest.mark.parametrize(
    ("request_line", "header", "status"),
    [
        ("POST {path} HTTP/x", "", 400),
        ("POST {path}%zz HTTP/1.1", "", 400),
        ("POST {path} HTTP/1.1", "Content-Length: x\r\n", 400),
        ("TRACE {path} HTTP/1.1", "", 405),
        ("FOO {path} HTTP/1.1", "", 405),
        ("GET {path}?key=" + "k" * 9000 + " HTTP/1.1", "", 414),
        ("GET {path} HTTP/1.1", f"X-Long: {'k' * 9000}\r\n", 431),
        ("POST {path} HTTP/1.1", "Transfer-Encoding: gzip\r\n", 501),
    ],
)
def test_errors_of_nginx_have_googles_form_on_its_addresses(url, request_line, header, status):
    for path, names in ((ANALYZE, {"code", "status"}), ("/predict", {"status", "code"})):
        line = request_line.format(path=path)
        given, body = answer(
            url, f"{line}\r\nHost: x\r\n{header}Connection: close\r\n\r\n".encode()
        )
        error = json.loads(body)["error"]
        assert names <= set(error)
        assert (given, error["code" if path == ANALYZE else "status"]) == (status, status)


@pytest.mark.parametrize(
    ("request_line", "header", "status"),
    [
        ("TRACE {path} HTTP/1.1", "", 405),
        ("GET {path} HTTP/1.1", f"X-Long: {'k' * 9000}\r\n", 431),
    ],
)
def test_errors_of_nginx_are_problems_for_clients_that_accept_them(
    url, request_line, header, status
):
    accept = "Accept: application/problem+json\r\n"
    for path in ("/predict", ANALYZE):
        line = f"{request_line.format(path=path)}\r\nHost: x\r\n{accept}{header}"
        given, body = answer(url, f"{line}Connection: close\r\n\r\n".encode())
        assert given == status
        if path == ANALYZE:
            assert json.loads(body)["error"]["code"] == status
        else:
            problem = json.loads(body)
            assert problem["status"] == status
            assert problem["type"] == f"/docs#error-{problem['code']}"


def test_a_refusal_has_the_content_type_of_its_form(http, url):
    for accept, wanted in (
        ("application/problem+json", "application/problem+json"),
        ("*/*", "application/json"),
    ):
        answered = http.request("TRACE", f"{url}/predict", headers={"Accept": accept})
        assert answered.status_code == 405
        assert answered.headers["Content-Type"] == wanted
        assert answered.headers["Vary"] == "Accept"


def test_a_request_with_many_headers_is_answered(url):
    """uWSGI's own limits are smaller than nginx's: it dropped such a request, which was a 503."""
    headers = "".join(f"X-{number}: {'k' * 100}\r\n" for number in range(200))
    line = f"GET /livez HTTP/1.1\r\nHost: x\r\n{headers}Connection: close\r\n\r\n"
    assert answer(url, line.encode())[0] == 200
