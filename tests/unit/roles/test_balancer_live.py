"""A real HAProxy with the role's configuration: who gets requests, and what clients see."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from live_haproxy import HANG_SECONDS, AppHost, Balancer, until

pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")
Start = Callable[..., Balancer]


@pytest.fixture
def apps() -> Iterator[list[AppHost]]:
    found = [AppHost("app1"), AppHost("app2")]
    yield found
    for one in found:
        one.free()


@pytest.fixture
def start(apps: list[AppHost], tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as running:

        def started(**inventory: object) -> Balancer:
            balancer = Balancer(tmp_path, apps, **inventory)
            running.callback(balancer.close)
            return balancer

        yield started


def certificate(directory: Path, name: str) -> str:
    """Make a certificate where role tls keeps them, and return its SHA-1."""
    new = directory / name
    new.mkdir()
    openssl = shutil.which("openssl") or "openssl"
    subprocess.run(  # noqa: S603 (fixed words)
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "3", "-subj", f"/CN={name}", "-keyout", new / "privkey.pem",
         "-out", new / "fullchain.pem"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    live = directory / "live"
    live.unlink(missing_ok=True)
    live.symlink_to(name)
    return ssl.PEM_cert_to_DER_cert((new / "fullchain.pem").read_text()).hex()


def served(port: int) -> str:
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", port))).hex()


def test_a_request_goes_through_and_what_the_client_says_about_itself_is_replaced(start, apps):
    balancer = start()
    lies = {"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.1", "X-Forwarded-Proto": "x"}
    status, _, body = balancer.request("POST", "/predict?a=b", lies, "text")
    assert (status, body in ("app1", "app2")) == (200, True)
    seen: list[tuple[str, str, dict[str, str]]] = [*apps[0].requests, *apps[1].requests]
    ((method, path, headers),) = seen
    assert (method, path) == ("POST", "/predict?a=b")
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert "forwarded" not in headers


def test_a_host_that_is_not_ready_gets_nothing(start, apps):
    apps[0].ready = False
    balancer = start()
    until(lambda: balancer.status("app1") == "DOWN")
    assert {balancer.request("GET", "/")[2] for _ in range(10)} == {"app2"}
    assert apps[0].requests == []
    apps[0].ready = True
    until(lambda: balancer.status("app1") == "UP")
    until(lambda: balancer.request("GET", "/")[2] == "app1")


def test_a_host_that_refuses_connections_costs_no_request_and_none_is_done_twice(start, apps):
    balancer = start()
    until(lambda: balancer.runtime.host("app2").check == "L7OK/200")
    apps[0].close()
    answers = [balancer.request("POST", f"/{number}", body="text") for number in range(10)]
    assert [(status, body) for status, _, body in answers] == [(200, "app2")] * 10
    assert [path for _, path, _ in apps[1].requests] == [f"/{number}" for number in range(10)]


def test_toxctl_holds_a_host_out_and_puts_it_back(start, apps):
    balancer = start()
    until(lambda: all(one.check == "L7OK/200" for one in balancer.runtime.hosts()))
    with balancer.toxctl("hold-out", "app1") as held:
        assert held.stdout is not None
        assert json.loads(held.stdout.readline())["result"]["taken_out"] is True
        assert balancer.status("app1") == "DRAIN"
        assert {balancer.request("GET", "/")[2] for _ in range(10)} == {"app2"}
        rest, _ = held.communicate(timeout=HANG_SECONDS)
    last = json.loads(rest.splitlines()[-1])["result"]
    assert (last["name"], last["serves"], held.returncode) == ("app1", True, 0)
    until(lambda: balancer.request("GET", "/")[2] == "app1")


def test_a_host_that_is_out_stays_out_over_a_reload(start, apps):
    balancer = start()
    balancer.runtime.set_state("app1", "drain")
    balancer.reload()
    assert balancer.status("app1") == "DRAIN"
    assert {balancer.request("GET", "/")[2] for _ in range(5)} == {"app2"}


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2"])
def test_a_reload_takes_over_the_new_address_of_a_host(start, apps, address: str):
    """The saved state holds the old one."""
    balancer = start()
    moved = AppHost("app1", address)
    try:
        balancer.apps = [moved, apps[1]]
        balancer.write()
        balancer.reload()
        apps[0].close()
        until(lambda: balancer.request("GET", "/")[2] == "app1")
        assert moved.requests
    finally:
        moved.free()


def test_a_host_that_is_new_gets_nothing_before_its_health_check(start, apps):
    """A new app host has no model yet."""
    balancer = start()
    new = AppHost("app3")
    new.ready = False
    try:
        until(lambda: all(one.check == "L7OK/200" for one in balancer.runtime.hosts()))
        balancer.apps = [*apps, new]
        balancer.write()
        balancer.reload()
        assert balancer.status("app1") == "UP"
        for _ in range(60):
            balancer.request("GET", "/")
        until(lambda: balancer.runtime.host("app3").check == "L7STS/503")
        assert new.requests == []
        new.ready = True
        until(lambda: balancer.request("GET", "/")[2] == "app3")
    finally:
        new.free()


def test_where_no_app_host_is_ready_each_is_asked_all_the_same(start, apps):
    """Without the database none is, and texts with known words are still answered."""
    apps[0].ready = apps[1].ready = False
    balancer = start()
    until(lambda: {one.status for one in balancer.runtime.hosts()} == {"DOWN"})
    answers = [balancer.request("GET", "/") for _ in range(4)]
    assert {status for status, _, _ in answers} == {200}
    assert apps[0].requests
    assert apps[1].requests


def test_without_an_app_host_the_answer_is_json_that_says_when_to_retry(start, apps):
    balancer = start()
    for one in apps:
        one.close()
    until(lambda: {one.status for one in balancer.runtime.hosts()} == {"DOWN"})
    status, headers, body = balancer.request("GET", "/")
    assert (status, headers["content-type"], headers["retry-after"]) == (
        503,
        "application/json",
        "5",
    )
    error = json.loads(body)["error"]
    assert (error["status"], error["code"], bool(error["message"])) == (503, "unavailable", True)


@pytest.mark.parametrize(
    "path",
    [
        "/v1alpha1/comments:analyze?key=k",
        "//v1alpha1/comments:analyze",
        "/batch",
        "/$discovery/rest",
    ],
)
def test_on_the_addresses_of_the_perspective_api_errors_have_googles_form(start, apps, path: str):
    balancer = start()
    for one in apps:
        one.close()
    until(lambda: {one.status for one in balancer.runtime.hosts()} == {"DOWN"})
    status, headers, body = balancer.request("POST", path)
    error = json.loads(body)["error"]
    assert (status, error["code"], error["status"]) == (503, 503, "UNAVAILABLE")
    assert headers["content-type"] == "application/json"
    assert headers["retry-after"] == "5"
    assert headers["access-control-allow-origin"] == "*"


PAGE = "https://shop.example.org"


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [(["*"], PAGE, "*"), ([PAGE], PAGE, PAGE), ([PAGE], "https://b.example.org", None),
     ([], PAGE, None)],
)  # fmt: skip
def test_a_page_that_may_send_requests_can_read_the_errors(start, apps, origins, origin, allowed):
    balancer = start(flask_app_perspective_origins=origins)
    path = "/v1alpha1/comments:analyze"
    # An answer of an app host has its own headers alone.
    status, headers, _ = balancer.request("POST", path, {"Origin": origin}, "text")
    assert (status, headers.get("access-control-allow-origin")) == (200, None)
    for one in apps:
        one.close()
    until(lambda: {one.status for one in balancer.runtime.hosts()} == {"DOWN"})
    status, headers, _ = balancer.request("POST", path, {"Origin": origin})
    assert (status, headers.get("access-control-allow-origin")) == (503, allowed)
    assert headers.get("vary") == ("Origin" if allowed == PAGE else None)
    assert headers.get("access-control-expose-headers") == (allowed and "Retry-After")
    _, headers, _ = balancer.request("GET", "/", {"Origin": origin})
    assert "access-control-allow-origin" not in headers


def test_an_app_host_that_hangs_up_is_answered_in_json(start, apps):
    """And is not asked again, which might do the request twice."""
    balancer = start()
    status, headers, body = balancer.request("POST", "/broken", body="text")
    assert (status, headers["content-type"]) == (502, "application/json")
    assert json.loads(body)["error"]["code"] == "bad_gateway"
    assert len(apps[0].broken + apps[1].broken) == 1


def test_the_log_has_no_query_string_and_no_key(start):
    balancer = start()
    secret = {"X-Api-Key": "the-key", "Referer": "http://a/the-referer"}
    balancer.request("GET", "/predict?text=the-comment", secret)
    until(lambda: '"GET /predict" 200 ' in balancer.logged())
    for word in ("the-comment", "the-key", "the-referer"):
        assert word not in balancer.logged()


@pytest.mark.parametrize("percent", [0, 100])
def test_of_what_an_app_host_refuses_a_share_is_logged(start, percent: int):
    balancer = start(nginx_log_refused_percent=percent)
    assert {balancer.request("GET", "/refused")[0] for _ in range(5)} == {429}
    balancer.request("GET", "/end")
    until(lambda: '"GET /end" 200 ' in balancer.logged())
    # HAProxy's threads write beside each other.
    refused = 5 if percent else 0
    until(lambda: balancer.logged().count('"GET /refused" 429 ') >= refused)
    assert balancer.logged().count('"GET /refused" 429 ') == refused


def test_the_metrics_are_those_of_the_app_hosts(start):
    balancer = start()
    balancer.port = balancer.metrics_port
    status, _, text = balancer.request("GET", "/metrics")
    assert status == 200
    assert 'haproxy_server_status{proxy="app",server="app1"' in text
    assert balancer.request("GET", "/")[0] == 404


def test_with_tls_http_is_redirected_and_a_new_certificate_is_served_after_a_reload(
    start, apps, tmp_path
):
    first = certificate(tmp_path, "first")
    (tmp_path / "server.pem").symlink_to("live/fullchain.pem")
    (tmp_path / "server.pem.key").symlink_to("live/privkey.pem")
    balancer = start(tls_mode="files", tls_hsts_seconds=600)
    status, headers, _ = balancer.request("POST", "/a?b=c", {"Host": "tox.example.org:80"}, "text")
    assert status == 308
    assert headers["location"] == f"https://tox.example.org:{balancer.tls_port}/a?b=c"
    with socket.create_connection(("127.0.0.1", balancer.port), HANG_SECONDS) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with connection.makefile("rb") as file:
            header, _, body = file.read().partition(b"\r\n\r\n")
    assert b" 400 " in header.splitlines()[0]
    assert json.loads(body)["error"]["code"] == "bad_request"
    assert served(balancer.tls_port) == first
    trust = ssl.create_default_context(cafile=str(tmp_path / "first/fullchain.pem"))
    trust.check_hostname = False
    client = http.client.HTTPSConnection("127.0.0.1", balancer.tls_port, context=trust)
    client.request("GET", "/")
    answer = client.getresponse()
    assert answer.headers["Strict-Transport-Security"] == "max-age=600"
    assert answer.read() in (b"app1", b"app2")
    client.close()
    assert [*apps[0].requests, *apps[1].requests][0][2]["x-forwarded-proto"] == "https"
    second = certificate(tmp_path, "second")
    balancer.reload()
    assert served(balancer.tls_port) == second != first


def test_a_challenge_of_the_authority_reaches_certbot_and_everything_else_is_redirected(
    start, apps, tmp_path
):
    certificate(tmp_path, "first")
    (tmp_path / "server.pem").symlink_to("live/fullchain.pem")
    (tmp_path / "server.pem.key").symlink_to("live/privkey.pem")
    certbot = AppHost("certbot")
    try:
        balancer = start(tls_mode="acme", certbot=certbot)
        challenge = "/.well-known/acme-challenge/token"
        assert balancer.request("GET", challenge)[::2] == (200, "certbot")
        assert [path for _, path, _ in certbot.requests] == [challenge]
        assert balancer.request("GET", "/.well-known/other")[0] == 308
        certbot.close()
        # While nobody asks for a certificate.
        status, headers, _ = balancer.request("GET", challenge)
        assert (status, headers["content-type"]) == (503, "application/json")
        assert not apps[0].requests
    finally:
        certbot.free()
