"""HTTPS as nginx, firewalld and toxctl see it, for each mode, and nothing of it without TLS."""

from __future__ import annotations

import re

import pytest
from rendered_files import NGINX, SERVER_JSON, directives, parsed, rendered, variant_named
from rendering import DEBIAN, SYSTEMS, TREE, Variant, evaluate, owners, render, variables
from role_tree import PROJECT

from toxctl.certificate_store import CHAIN, KEY

HAPROXY = "etc/haproxy/haproxy.cfg.j2"
TLS_JSON = "etc/tox_com_det/tls.json.j2"
SERVICE = "etc/systemd/system/tox_com_det-certificate.service.j2"
TIMER = "etc/systemd/system/tox_com_det-certificate.timer.j2"
ZONE = "etc/firewalld/zones/public.xml.j2"
MODES = ("tls_selfsigned", "tls_acme", "tls_files")


def servers(system: str, variant: str):
    """The redirect, the public server and the one for probes."""
    return [one for one in parsed(NGINX, system, variant).all("server") if one.block is not None]


def listened(server) -> set[tuple[str, ...]]:
    return {one.arguments for one in server.all("listen")}


@pytest.mark.parametrize("system", SYSTEMS)
def test_without_tls_nginx_has_nothing_of_it(system: str):
    """A changed file would reload nginx on every server that is upgraded."""
    off = rendered(NGINX, system)
    assert not re.search(r"ssl|tls|308|acme|http2", off)
    for mode in ("off", False):
        unquoted = Variant("x", {"tls_mode": mode})
        assert render(NGINX, owners()[NGINX], system, unquoted) == off
    assert parsed(SERVER_JSON, system)["https_port"] is None


@pytest.mark.parametrize("variant", MODES)
@pytest.mark.parametrize("system", SYSTEMS)
def test_plain_http_is_redirected_as_it_is(system: str, variant: str):
    redirect, public, _ = servers(system, variant)
    assert listened(redirect) == {("80", "default_server"), ("[::]:80", "default_server")}
    (answer,) = redirect.all("return")
    port = ":8443" if variant == "tls_selfsigned" else ""
    # 308: a POST stays a POST.
    assert answer.arguments == ("308", f"https://$host{port}$request_uri")
    assert not list(redirect.all("uwsgi_pass"))
    number = port.removeprefix(":") or "443"
    assert listened(public) == {
        (number, "ssl", "http2", "default_server"),
        (f"[::]:{number}", "ssl", "http2", "default_server"),
    }
    assert parsed(SERVER_JSON, system, variant)["https_port"] == int(number)


@pytest.mark.parametrize(
    ("public_url", "port"),
    [
        ("https://toxic.example.org:8443/", ":8443"),
        ("https://[2001:db8::1]", ""),
        ("https://[2001:db8::1]:8443", ":8443"),
        ("https://toxic.example.org/below", ""),
        # Of what a laptop asks, such as the local Nanode.
        ("http://127.0.0.1:8080", ":444"),
        ("", ":444"),
    ],
)
def test_the_redirect_names_the_public_port(public_url: str, port: str):
    """A port that is mapped is known to nobody but the one who wrote it there."""
    hosts = {"balancer_app_hosts": [{"name": "app1", "address": "192.0.2.11"}]}
    own = {"nginx_public_url": public_url, "tls_mode": "files", "tls_listen_port": 444}
    templates = {
        NGINX: ("https://$host", "$request_uri;"),
        HAPROXY: ("https://%[req.hdr(host),regsub(:[0-9]+$,)]", "%[pathq]"),
    }
    for template, (host, rest) in templates.items():
        text = render(template, owners()[template], "debian12", Variant("own", {**own, **hosts}))
        (line,) = re.findall(
            "^ *(?:return|http-request redirect code) 308 (.*)", text, re.MULTILINE
        )
        assert line.removeprefix("location ") == host + port + rest


@pytest.mark.parametrize("variant", MODES)
def test_only_with_an_authority_challenges_are_answered_over_plain_http(variant: str):
    redirect = servers("el9", variant)[0]
    found = [one for one in redirect.all("location") if "acme-challenge" in one.arguments[-1]]
    assert bool(found) == (variant == "tls_acme")
    for location in found:
        assert location.arguments == ("^~", "/.well-known/acme-challenge/")
        (root,) = location.all("root")
        assert root.arguments == (parsed(TLS_JSON, "el9", variant)["webroot"],)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_new_certificate_needs_no_reload(system: str):
    """nginx reads a path with a variable at each handshake, through the link that toxctl moves."""
    public = servers(system, "tls_acme")[1]
    directory = parsed(TLS_JSON, system, "tls_acme")["directory"]
    for name, file in (("ssl_certificate", CHAIN), ("ssl_certificate_key", KEY)):
        (one,) = public.all(name)
        assert one.arguments == (f"{directory}/$tls_certificate/{file}",)
    (link,) = (
        one
        for one in parsed(NGINX, system, "tls_acme").all("map")
        if one.arguments[1] == "$tls_certificate"
    )
    assert [(one.name, one.arguments) for one in link.block] == [("default", ("live",))]
    group = parsed(TLS_JSON, system, "tls_acme")["group"]
    assert group == ("www-data" if system in DEBIAN else {"arch": "http"}.get(system, "nginx"))


@pytest.mark.parametrize("system", SYSTEMS)
def test_tls_is_what_mozilla_recommends_as_intermediate(system: str):
    public = servers(system, "tls_files")[1]
    found = {one.name: one.arguments for one in public.block if one.name.startswith("ssl_")}
    assert found["ssl_protocols"] == ("TLSv1.2", "TLSv1.3")
    assert found["ssl_prefer_server_ciphers"] == ("off",)
    assert found["ssl_session_tickets"] == ("off",)
    ciphers = found["ssl_ciphers"][0].split(":")
    assert len(ciphers) == 6
    assert all(re.fullmatch(r"ECDHE-(ECDSA|RSA)-.*(GCM-SHA\d+|POLY1305)", one) for one in ciphers)


def test_hsts_is_a_choice():
    (header,) = (one for one in servers("el9", "tls_acme")[1].block if one.name == "add_header")
    assert header.arguments == ("Strict-Transport-Security", "max-age=63072000", "always")
    assert "Strict-Transport-Security" not in rendered(NGINX, "el9", "tls_files")


@pytest.mark.parametrize(
    ("variant", "ports"),
    [
        ("defaults", []),
        ("tls_acme", []),
        ("tls_selfsigned", ["8443"]),
        ("tls_files", ["80", "443"]),
    ],
)
def test_the_firewall_opens_the_ports_of_the_web_unless_a_service_does(
    variant: str, ports: list[str]
):
    own = {"22", "2222"}  # of sshd
    found = re.findall(r'<port port="(\d+)"', rendered(ZONE, "el9", variant))
    assert [port for port in found if port not in own] == ports


@pytest.mark.parametrize("variant", ["defaults", "tls_selfsigned"])
def test_the_port_of_https_is_verified_from_outside(variant: str):
    exposure = next(one for one in TREE.roles if one.name == "exposure")
    values = variables(exposure, "el9", variant_named(variant))
    values |= {"__exposure_ssh_port": 22, "__exposure_address": "203.0.113.7"}
    ports = evaluate(values["__exposure_ports"], values)
    assert isinstance(ports, list)
    checked = {one["name"]: one for one in ports}
    url = evaluate(values["__exposure_url"], values)
    if variant == "defaults":
        assert "web over TLS" not in checked
        assert url == "http://203.0.113.7:80/readyz"
    else:
        assert checked["web over TLS"] == {
            "port": "8443",
            "name": "web over TLS",
            "expected": "open",
        }
        assert url == "https://203.0.113.7:8443/readyz"


def test_tls_json_has_the_names_and_the_settings_of_the_authority():
    found = parsed(TLS_JSON, "centos7", "tls_acme")
    assert (found["mode"], found["names"]) == ("acme", ["toxic.example.org", "203.0.113.7"])
    assert found["acme_directory"] == "https://acme-v02.api.letsencrypt.org/directory"
    assert found["acme_ca_file"] == "/etc/tox_com_det/acme-ca.pem"
    assert parsed(TLS_JSON, "centos7", "tls_files")["acme_ca_file"] == ""


@pytest.mark.parametrize("address", [None, "203.0.113.7"])
def test_a_self_signed_certificate_is_for_the_servers_address_by_default(address: str | None):
    facts = {"default_ipv4": {"address": address} if address else {}, "nodename": "nanode"}
    variant = Variant("x", {"tls_mode": "selfsigned"}, facts)
    text = render(TLS_JSON, owners()[TLS_JSON], "el9", variant)
    assert f'"{address or "nanode"}"' in text


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_timer_asks_several_times_a_day_and_never_counts_days(system: str):
    service = directives(SERVICE, system, "tls_acme")
    assert service["ExecStart"].endswith(" certificate renew")
    timer = directives(TIMER, system, "tls_acme")
    assert timer["OnCalendar"] == "*-*-* 00/4:07:00"
    assert timer["Persistent"] == "true"


def test_certbot_is_new_enough_for_ip_addresses_through_the_webroot():
    for target in ("debian13", "debian12", "el9", "el7"):
        lock = (PROJECT / f"requirements/certbot/{target}.txt").read_text(encoding="utf-8")
        match = re.search(r"^certbot==(\d+)\.(\d+)", lock, re.MULTILINE)
        assert match
        assert (int(match[1]), int(match[2])) >= (5, 4)
