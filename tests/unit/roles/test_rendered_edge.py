"""What nginx, mongod and the logs do with hostile and careless clients, on every system."""

from __future__ import annotations

import re

import pytest
from rendered_files import MONGOD_LIMITS, NGINX, SLOT, directives, parsed, rendered
from rendering import SYSTEMS

from tox_com_det.http.limits import SERVER_LIMITS, limits
from tox_com_det.settings import Settings

MONGOD = "etc/mongod.conf.j2"
NGINX_DROP_IN = "etc/systemd/system/nginx.service.d/tox_com_det.conf.j2"
ROTATION = "etc/systemd/system/tox_com_det-logrotate"
VARIANTS = ("defaults", "gunicorn")


def parameters(server, variant: str) -> dict[str, str]:
    """The headers and parameters that a server block passes on, by their names in WSGI."""
    if variant == "gunicorn":
        found = {one.arguments[0]: one.arguments[1] for one in server.all("proxy_set_header")}
        return {"HTTP_" + name.upper().replace("-", "_"): value for name, value in found.items()}
    return {one.arguments[0]: one.arguments[1] for one in server.all("uwsgi_param")}


def servers(system: str, variant: str):
    """The public server, and the one for probes."""
    public, probes = (
        one for one in parsed(NGINX, system, variant).all("server") if one.block is not None
    )
    return public, probes


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_only_queries_of_the_perspective_api_reach_the_service(system: str, variant: str):
    """uWSGI and gunicorn log slow and failed requests with query and Referer."""
    main = parsed(NGINX, system, variant)
    (args,) = (one for one in main.all("map") if one.arguments[1] == "$service_args")
    assert args.arguments[0] == "$uri"
    path, default = args.block
    assert (path.arguments, default.name, default.arguments) == (("$args",), "default", ("",))
    expression = re.compile(path.name.removeprefix("~"))
    for uri in ("/v1alpha1/comments:analyze", "//v1alpha1", "/batch", "/$discovery/rest"):
        assert expression.search(uri)
    for uri in ("/", "/predict", "/readyz", "/batches", "/live/batch", "/v1alpha12"):
        assert not expression.search(uri)
    for server in servers(system, variant):
        given = parameters(server, variant)
        assert given["HTTP_REFERER"] == ""
        assert given.get("QUERY_STRING", "$args") == "$args"
        assert given.get("REQUEST_URI", "$request_path") == "$request_path"
        passes = [
            one
            for one in server.all("location")
            if list(one.all("uwsgi_pass")) or list(one.all("proxy_pass"))
        ]
        assert passes
        for location in passes:
            assert [one.arguments for one in location.all("set")] == [("$args", "$service_args")]
            # `rewrite ... break` ends the directives of its kind.
            names = [one.name for one in location.block if one.name in ("set", "rewrite")]
            assert names[0] == "set"


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_error_log_has_no_lines_of_requests(system: str):
    main = parsed(NGINX, system)
    (http,) = main.all("http")
    (log,) = (one for one in http.block if one.name == "error_log")
    assert log.arguments[1] == "emerg"
    # Of nginx itself, such as a worker that died.
    (own,) = (one for one in main.block if one.name == "error_log")
    assert own.arguments == ("/var/log/nginx/error.log",)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_the_service_is_told_the_client_and_a_probe_is_one(system: str, variant: str):
    """A client's own header of that name does not arrive; a probe never waits for a turn."""
    public, probes = servers(system, variant)
    assert parameters(public, variant)["HTTP_X_TOX_COM_DET_CLIENT"] == "$remote_addr"
    assert parameters(probes, variant)["HTTP_X_TOX_COM_DET_CLIENT"] == "probe"


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_the_service_is_told_the_port_of_the_request(system: str, variant: str):
    """`HTTP_HOST $host` of a newer uwsgi_params loses it, so that file is not included."""
    public, _ = servers(system, variant)
    assert parameters(public, variant)["HTTP_HOST"] == "$requested_host"
    (host,) = (
        one
        for one in parsed(NGINX, system, variant).all("map")
        if one.arguments[1] == "$requested_host"
    )
    assert host.arguments[0] == "$http_host"
    assert "uwsgi_params" not in rendered(NGINX, system, variant)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_chunked_body_arrives_with_its_length_only(system: str):
    for server in servers(system, "defaults"):
        given = parameters(server, "defaults")
        assert given["HTTP_TRANSFER_ENCODING"] == ""
        assert given["CONTENT_LENGTH"] == "$content_length"


def test_the_service_and_nginx_state_the_same_limits():
    public, _ = servers("debian12", "defaults")
    environ = {SERVER_LIMITS: parameters(public, "defaults")[SERVER_LIMITS]}
    stated = limits(Settings(model="/srv/model"), environ)
    assert (stated["requests_per_second"], stated["burst"], stated["connections"]) == (50, 200, 50)


@pytest.mark.parametrize("system", SYSTEMS)
def test_refused_requests_are_sampled_and_written_in_blocks(system: str):
    main = parsed(NGINX, system)
    (log,) = (one for one in main.all("access_log") if one.arguments != ("off",))
    assert {"buffer=32k", "flush=5s", "if=$logged"} <= set(log.arguments)
    (logged,) = (one for one in main.all("map") if one.arguments[1] == "$logged")
    assert [(one.name, one.arguments) for one in logged.block] == [
        ("", ("$sampled",)),
        ("default", ("1",)),
    ]
    (path,) = (one for one in main.all("map") if one.arguments[1] == "$logged_uri")
    assert re.search(r"\{1,200\}", path.block[0].name)
    assert "$uri" not in " ".join(next(main.all("log_format")).arguments)


def test_no_percent_is_no_sample_and_limits_follow_their_variables():
    main = parsed(NGINX, "debian12", "own_choices")
    (sampled,) = main.all("split_clients")
    assert [(one.name, one.arguments) for one in sampled.block] == [("*", ("0",))]
    assert next(main.all("worker_rlimit_nofile")).arguments == ("5120",)
    assert "zone=client_readiness burst=14 " in rendered(NGINX, "debian12", "own_choices")


@pytest.mark.parametrize("system", SYSTEMS)
def test_half_open_requests_end_soon_and_leave_room_for_others(system: str):
    main = parsed(NGINX, system)
    public, _ = servers(system, "defaults")
    assert next(public.all("client_header_timeout")).arguments == ("5s",)
    connections = int(next(main.all("worker_connections")).arguments[0])
    files = int(next(main.all("worker_rlimit_nofile")).arguments[0])
    assert connections >= 8192
    assert files >= 2 * connections
    assert directives(NGINX_DROP_IN, system)["LimitNOFILE"] == str(files)


def test_a_client_is_a_network_of_ipv6_and_not_one_of_its_addresses():
    main = parsed(NGINX, "debian12")
    (client,) = (one for one in main.all("map") if one.arguments[1] == "$client")
    expression = client.block[0].name.removeprefix("~").replace("(?<", "(?P<").encode()
    address = bytes.fromhex("20010db8000a000b") + b"\n" * 8
    assert re.search(expression, address)["ipv6_network"] == address[:8]
    assert re.search(expression, b"\x7f\x00\x00\x01") is None
    for name in ("limit_req_zone", "limit_conn_zone"):
        for zone in main.all(name):
            assert zone.arguments[0] == "$client"
            # A running nginx may refuse a new key for a zone that it has; 0.1 had these two.
            assert not zone.arguments[1].startswith(("zone=requests:", "zone=connections:"))


@pytest.mark.parametrize("system", SYSTEMS)
def test_readyz_has_a_lower_rate_beside_the_usual_one(system: str):
    public, probes = servers(system, "defaults")
    (readyz,) = (one for one in public.all("location") if one.arguments == ("=", "/readyz"))
    zones = {one.arguments[0] for one in readyz.all("limit_req")}
    assert zones == {"zone=client_requests", "zone=client_readiness"}
    assert not list(probes.all("limit_req"))


@pytest.mark.parametrize("system", SYSTEMS)
def test_nginx_restarts_as_the_slots_do(system: str):
    drop_in = directives(NGINX_DROP_IN, system)
    assert drop_in["Restart"] == "always"
    assert drop_in["KillMode"] == "mixed"
    # systemd gives up after 5 starts in 10 s.
    assert int(drop_in["RestartSec"]) * 5 > 10
    assert directives(SLOT, system)["Restart"] == "always"


@pytest.mark.parametrize("system", SYSTEMS)
def test_mongod_logs_no_words_of_comments(system: str):
    """A slow operation is logged with its words, whatever the profiler's mode is."""
    mongod = parsed(MONGOD, system)
    assert mongod["operationProfiling.mode"] == "off"
    assert mongod["operationProfiling.slowOpThresholdMs"] == 2**31 - 1


@pytest.mark.parametrize("unit", [SLOT, MONGOD_LIMITS])
@pytest.mark.parametrize("system", SYSTEMS)
def test_no_core_dump_holds_comments(system: str, unit: str):
    assert directives(unit, system)["LimitCORE"] == "0"


@pytest.mark.parametrize("system", SYSTEMS)
def test_logs_are_rotated_by_size_every_few_minutes(system: str):
    rules = {
        **parsed("etc/logrotate.d/nginx.j2", system),
        **parsed("etc/logrotate.d/mongod.j2", system),
        **parsed("etc/logrotate-syslog.conf.j2", system),
    }
    assert len(rules) == 3
    assert any("/var/log/messages" in name for name in rules)
    assert {"/var/log/nginx/*.log", "/var/log/mongodb/mongod.log"} < rules.keys()
    for rule in rules.values():
        assert rule["size"] == "20M"
        assert rule["rotate"] == "5"
        # The names of a daily rule with dates would be kept besides.
        assert "nodateext" in rule
    # SELinux lets logrotate read /proc and send signals, but not ask systemd.
    (pid,) = re.findall(r"(?m)^pid (\S+);", rendered(NGINX, system))
    script = rules["/var/log/nginx/*.log"]["postrotate"]
    assert f"cat {pid} " in script
    assert 'kill -USR1 "$pid"' in script
    assert "systemctl" not in script
    command = directives(f"{ROTATION}.service.j2", system)["ExecStart"].split()
    assert command[-3:] == [
        "/etc/logrotate.d/nginx",
        "/etc/logrotate.d/mongod",
        "/etc/logrotate-syslog.conf",
    ]
    timer = directives(f"{ROTATION}.timer.j2", system)
    assert timer["OnUnitActiveSec"] == timer["OnBootSec"] == "5min"


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_journal_is_bounded_on_disk_and_in_memory(system: str):
    journal = directives("etc/systemd/journald.conf.d/tox_com_det.conf.j2", system)
    assert journal == {"SystemMaxUse": "200M", "RuntimeMaxUse": "32M"}
