"""HAProxy's configuration and unit, as `toxctl balancer`, systemd and clients need them."""

from __future__ import annotations

import pytest
from live_haproxy import CONFIG
from parsers.haproxy import haproxy
from rendered_files import NGINX, directives, parsed, rendered
from rendering import SYSTEMS, TREE, Variant, evaluate, owners, render, variables

from toxctl import balancer

DROP_IN = "etc/systemd/system/haproxy.service.d/tox_com_det.conf.j2"
ROLES = {role.name: role for role in TREE.roles}
BACKENDS = (balancer.BACKEND, "any")
HOSTVARS = {
    "app1": {"cluster_address": "192.0.2.11", "ansible_host": "203.0.113.1"},
    "app2.example.org": {"ansible_host": "203.0.113.2", "nginx_listen_port": 8080},
    "app3": {},
    "other": {},
}


def in_group(**more: object) -> str:
    groups = {"app": ["app1", "app2.example.org", "app3", "other"], "tox_com_det": list(HOSTVARS)}
    groups["tox_com_det"].remove("other")
    values = {"groups": groups, "hostvars": HOSTVARS, **more}
    return render(CONFIG, owners()[CONFIG], "debian12", Variant("group", values))


def servers(text: str) -> list[str]:
    """Return the app hosts, which are the same in both backends."""
    main = haproxy(text)
    checked, any_host = ([" ".join(one) for one in main[name].all("server")] for name in BACKENDS)
    assert checked == any_host
    return checked


def test_app_hosts_are_those_of_the_group_inside_the_project():
    assert servers(in_group()) == [
        "app1 192.0.2.11:80",
        "app2.example.org 203.0.113.2:8080",
        "app3 app3:80",
    ]


def test_chosen_app_hosts_replace_those_of_the_group():
    chosen = [{"name": "one", "address": "2001:db8::1"}]
    assert servers(in_group(balancer_app_hosts=chosen)) == ["one [2001:db8::1]:80"]


def test_toxctl_finds_socket_and_backend():
    main = parsed(CONFIG, "debian12", "balancer")
    assert main["global"].all("stats", "socket")[0][:5] == [
        balancer.SOCKET, "mode", "660", "level", "admin",
    ]  # fmt: skip
    assert main["public"].all("default_backend") == [[balancer.BACKEND]]
    assert [one[0] for one in main[balancer.BACKEND].all("server")] == ["app1", "app2"]
    runtime = f"/run/{directives(DROP_IN, 'debian12')['RuntimeDirectory']}/"
    assert balancer.SOCKET.startswith(runtime)


def test_ciphers_are_those_of_nginx():
    ours, theirs = (
        ROLES[name].vars[ROLES[name].path / "vars/main.yml"][f"__{name}_tls_ciphers"]
        for name in ("balancer", "nginx")
    )
    assert ours == theirs


def timeouts(version: str, **inventory: object) -> dict[str, str]:
    """Return the time limits with that HAProxy."""
    build = {"stdout": f"HAProxy version {version} 2026/10/17 - https://haproxy.org/\nStatus: a\n"}
    values = {"balancer_app_hosts": [{"name": "app1", "address": "192.0.2.11"}], **inventory}
    values["__balancer_build"] = build
    text = render(CONFIG, owners()[CONFIG], "debian12", Variant("timeouts", values))
    return dict(haproxy(text)["defaults"].all("timeout"))


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_header_has_to_arrive_as_fast_as_nginx_asks_for(system: str):
    limits = dict(parsed(CONFIG, system, "balancer")["defaults"].all("timeout"))
    (nginxs,) = next(parsed(NGINX, system).all("client_header_timeout")).arguments
    assert limits["http-request"] == nginxs == "5s"


@pytest.mark.parametrize(
    ("version", "handshake"),
    [("2.4.22-f8e3218", "10s"), ("2.6.12-1+deb12u4", "10s"), ("2.8.5", "10s"), ("2.9.0", "5s"),
     ("3.0.11-1+deb13u2", "5s"), ("3.12-dev1", "5s")],
)  # fmt: skip
def test_a_tls_handshake_ends_soon(version: str, handshake: str):
    """A silent connection is held for `timeout client`, unless there is a limit of its own."""
    limits = timeouts(version, tls_mode="files")
    assert limits.get("client-hs", limits["client"]) == handshake
    # Before 2.9 HAProxy refuses its name, and with it the file.
    assert ("client-hs" in limits) == (handshake == "5s")
    assert limits["client"] == ("35s" if handshake == "5s" else "10s")
    # Without TLS there is no handshake, and 408 for a silent client comes from `http-request`.
    assert "client-hs" not in timeouts(version)
    assert timeouts(version)["client"] == "35s"


@pytest.mark.parametrize("percent", [None, 0, 25])
def test_refused_requests_are_sampled_as_nginx_does(percent: int | None):
    given = {} if percent is None else {"nginx_log_refused_percent": percent}
    rules = haproxy(in_group(**given))["public"].all("http-response", "set-log-level")
    share = str(1 if percent is None else percent)
    words = ["silent", "if", "{", "status", "429", "}", "{", "rand(100)", "ge", share, "}"]
    assert rules == [words]


@pytest.mark.parametrize("system", SYSTEMS)
def test_haproxy_restarts_whatever_ended_it(system: str):
    drop_in = directives(DROP_IN, system)
    assert drop_in["Restart"] == "always"
    # systemd gives up after 5 starts in 10 s.
    assert int(drop_in["RestartSec"]) * 5 > 10


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_reload_saves_the_state_first_and_checks_the_configuration(system: str):
    reloads = [value for _, name, value in parsed(DROP_IN, system) if name == "ExecReload"]
    state = parsed(CONFIG, system)["global"].all("server-state-file")[0][0]
    assert reloads[0] == ""  # in place of the package's
    assert reloads[1] == f"/usr/local/sbin/toxctl balancer save {state}"
    assert reloads[2].endswith("/haproxy -Ws -f /etc/haproxy/haproxy.cfg -c -q")
    assert reloads[3] == "/bin/kill -USR2 $MAINPID"


@pytest.mark.parametrize("system", SYSTEMS)
def test_selinux_can_give_haproxy_its_domain(system: str):
    has_selinux = SYSTEMS[system]["os_family"] == "RedHat"
    assert ("NoNewPrivileges" in directives(DROP_IN, system)) != has_selinux


@pytest.mark.parametrize("system", SYSTEMS)
def test_only_el7_is_refused(system: str):
    known = variables(ROLES["balancer"], system, Variant("defaults"))
    assert bool(evaluate(known["__balancer_refused"], known)) == (system == "centos7")


def test_a_build_without_the_exporter_gets_the_page_of_numbers():
    assert "prometheus-exporter" in rendered(CONFIG, "el9")
    without = Variant("none", {"__balancer_build": {"stdout": "Available services : none"}})
    text = render(CONFIG, owners()[CONFIG], "el9", without)
    assert "prometheus-exporter" not in text
    assert "    stats uri /metrics\n" in text


def test_on_a_balancer_certbot_answers_challenges_where_haproxy_passes_them_to():
    settings = "etc/tox_com_det/tls.json.j2"
    port = parsed(settings, "debian12", "balancer_with_acme")["challenge_port"]
    main = parsed(CONFIG, "debian12", "balancer_with_acme")
    assert main["challenges"].all("server") == [["certbot", f"127.0.0.1:{port}"]]
    assert parsed(settings, "debian12", "tls_acme")["challenge_port"] is None
    assert "challenges" not in parsed(CONFIG, "debian12", "balancer")
