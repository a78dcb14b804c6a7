"""What nginx, mongod and the logs do with hostile and careless clients, on every system."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest
from parsers import environment, nginx
from rendered_files import GUNICORN, MONGOD_LIMITS, NGINX, SLOT, directives, parsed, rendered
from rendering import SYSTEMS, Variant, owners, render

from controller.values.problems import problems_of
from tox_com_det.http.access import EXPOSED_HEADERS
from tox_com_det.http.errors import TITLES
from tox_com_det.http.limits import SERVER_LIMITS, limits
from tox_com_det.keys.access import KEYED
from tox_com_det.perspective.batch import MOST_RESPONSE_BYTES
from tox_com_det.settings import Settings
from toxctl.keys import KEY_FORM

APP_ENV = "etc/tox_com_det/app.env.j2"
MONGOD = "etc/mongod.conf.j2"
SPECS = Path(__file__).parents[3] / "roles/nginx/meta/argument_specs.yml"
NGINX_DROP_IN = "etc/systemd/system/nginx.service.d/tox_com_det.conf.j2"
ROTATION = "etc/systemd/system/tox_com_det-logrotate"
VARIANTS = ("defaults", "gunicorn")


def parameters(server, variant: str) -> dict[str, str]:
    """The headers and parameters that a server block passes on, by their names in WSGI."""
    if variant == "gunicorn":
        found = {one.arguments[0]: one.arguments[1] for one in server.all("proxy_set_header")}
        return {"HTTP_" + name.upper().replace("-", "_"): value for name, value in found.items()}
    return {one.arguments[0]: one.arguments[1] for one in server.all("uwsgi_param")}


def with_values(**inventory: object) -> str:
    """The configuration of nginx with these values of the inventory."""
    return render(NGINX, owners()[NGINX], "debian12", Variant("own", inventory))


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
    keys = {one.arguments[1]: one for one in main.all("map")}
    for name in ("limit_req_zone", "limit_conn_zone"):
        for zone in main.all(name):
            key, words = zone.arguments[:2]
            if key not in ("$client", "$large"):
                results = {value for one in keys[key].block for value in one.arguments}
                assert results == {"$client", ""}, key
            # A running nginx may refuse a new key for a zone that it has; 0.1 had the first two.
            old = ("requests", "connections", "client_requests", "client_connections")
            assert not words.startswith(tuple(f"zone={one}:" for one in old))


def keyed(system: str) -> re.Pattern[str]:
    """What nginx takes for a request with a key."""
    (found,) = (one for one in parsed(NGINX, system).all("map") if one.arguments[1] == "$keyed")
    for name in ("arg_key", "arg_access_token", "http_x_goog_api_key", "http_authorization"):
        assert f"${name}" in found.arguments[0].split()
    return re.compile(found.block[0].name.removeprefix("~"))


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_request_counts_with_a_key_or_without(system: str):
    key = "toxcomdet_" + "aZ09" * 8
    assert re.fullmatch(KEY_FORM, key)
    for values in (f"{key}     ", f"  {key}   ", f"    {key} ", f"     Bearer {key}"):
        assert keyed(system).search(values)
    for values in (
        "     ",
        "AIzaOfGoogle     ",
        f"{key}x     ",
        f"     Basic{key}",
        f"{key[:-1]}     ",
    ):
        assert not keyed(system).search(values)
    public, _ = servers(system, "defaults")
    zones = [one.arguments[0] for one in public.block if one.name in ("limit_req", "limit_conn")]
    assert set(zones) >= {
        "zone=address_requests",
        "zone=keyed_requests",
        "address_connections",
        "keyed_connections",
    }


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_service_is_told_what_nginx_took_for_a_key(variant: str):
    for server in servers("debian12", variant):
        assert parameters(server, variant)[KEYED] == "$keyed"


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_bodies_and_responses_are_in_no_file(system: str, variant: str):
    module = "proxy" if variant == "gunicorn" else "uwsgi"
    for server in servers(system, variant):
        (largest,) = next(server.all("client_max_body_size")).arguments
        (buffer,) = next(server.all("client_body_buffer_size")).arguments
        # Chunks have their sizes between them.
        assert (largest, buffer) == ("1m", "2m")
        assert next(server.all(f"{module}_max_temp_file_size")).arguments == ("0",)
        number, size = next(server.all(f"{module}_buffers")).arguments
        room = int(number) * int(size.removesuffix("k")) * 1024
        # Beside the headers.
        assert room > MOST_RESPONSE_BYTES + 16 * 1024
        # Two MiB of body, and of response.
        assert f"{2 + room // 1024**2} MB by default" in " ".join(SPECS.read_text().split())


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_client_that_reads_nothing_is_cut_off(system: str):
    public, _ = servers(system, "defaults")
    assert next(public.all("send_timeout")).arguments == ("20s",)


@pytest.mark.parametrize(
    ("largest", "buffer"), [("512k", "1024k"), ("1000000", "2000000"), ("0", "16384"), ("4M", "8M")]
)
def test_a_body_of_any_allowed_size_has_room(largest: str, buffer: str):
    text = with_values(nginx_client_max_body_size=largest)
    assert f"client_body_buffer_size {buffer};" in text


@pytest.mark.parametrize(
    ("largest", "taken"),
    [
        ("1m", 1048576),
        (1048576, 1048576),
        ("2m", 2097152),
        ("512K", 524288),
        ("1000000", 1000000),
        ("1g", 4194304),
        (0, 4194304),
        ("1", 64),
    ],
)
def test_the_service_takes_the_bodies_that_nginx_lets_through(largest: str | int, taken: int):
    given = Variant("body", {"nginx_client_max_body_size": largest})
    text = render(APP_ENV, owners()[APP_ENV], "debian12", given)
    assert environment(text).max_body_bytes == taken
    # Where it is the service's own default, servers keep the file that they have.
    assert ("MAX_BODY_BYTES" in text) is (taken != Settings.max_body_bytes)
    assert "\n\n" not in text.partition("SLOT_SERVER")[0]


@pytest.mark.parametrize("count", [0, "0"])
def test_a_burst_of_none_is_not_written(count: object):
    """nginx refuses burst=0."""
    text = with_values(nginx_request_burst=count, nginx_request_burst_with_key=count)
    assert "burst=0 nodelay" not in text
    assert text.count("limit_req zone=address_requests nodelay;") == 2
    assert "limit_req zone=keyed_requests nodelay;" in text
    assert "limit_req zone=keyed_requests burst=1000 nodelay;" in with_values()


def test_any_allowed_origin_is_a_rule_of_its_own_once():
    """nginx compares without case, and refuses a word for which a bucket has no room."""
    longest = f"{'a' * 32}://{'b' * 255}"
    assert problems_of("flask_app_perspective_origins", [longest]) == []
    page = "https://shop.example.org"
    origins = [page, "https://Shop.example.org", page, longest]
    main = nginx(with_values(flask_app_perspective_origins=origins))
    (allowed,) = (one for one in main.all("map") if one.arguments[1] == "$allowed_origin")
    assert [one.name for one in allowed.block] == [page, longest]
    (size,) = next(main.all("map_hash_bucket_size")).arguments
    # With its length and a pointer, in steps of 8 bytes.
    assert len(longest) + 32 <= int(size)


def test_the_service_and_the_balancer_know_the_same_origins():
    values = {"flask_app_perspective_origins": [f"https://{name}.org" for name in "aAbb"]}
    env, balancer = (
        render(one, owners()[one], "debian12", Variant("origins", values))
        for one in ("etc/tox_com_det/app.env.j2", "etc/haproxy/haproxy.cfg.j2")
    )
    assert "SLOT_PERSPECTIVE_ORIGINS=https://a.org,https://b.org\n" in env
    # HAProxy refuses a line of more than 64 words.
    found = re.findall("acl is_known_origin .* (.*)", balancer)
    assert found == ["https://a.org", "https://b.org"]


def test_what_takes_much_memory_is_bounded_in_number():
    main = parsed(NGINX, "debian12")
    (large,) = (one for one in main.all("map") if one.arguments[1] == "$large")
    assert large.arguments[0] == (
        "$content_length $http_transfer_encoding $request_method$server_protocol $uri"
    )
    rules = [re.compile(one.name.removeprefix("~")) for one in large.block[:-1]]
    plain = "POSTHTTP/1.1"
    for values in (
        f"100000  {plain} /predict",
        f" chunked {plain} /predict",
        f"5  {plain} /batch",
        f"5  {plain} //batch/",
        # Without a word of its length.
        "  POSTHTTP/2.0 /predict",
    ):
        assert any(rule.search(values) for rule in rules), values
    for values in (
        f"99999  {plain} /predict",
        "  GETHTTP/1.1 /",
        "  GETHTTP/2.0 /",
        "5  POSTHTTP/2.0 /predict",
        f"0  {plain} /v1alpha1/comments:analyze",
    ):
        assert not any(rule.search(values) for rule in rules), values
    public, _ = servers("debian12", "defaults")
    limits = {one.arguments[0]: one.arguments[1] for one in public.all("limit_conn")}
    assert (limits["large_requests"], limits["large_requests_of_client"]) == ("32", "4")


@pytest.mark.parametrize("system", SYSTEMS)
def test_errors_of_nginx_have_googles_form_on_its_addresses(system: str):
    main = parsed(NGINX, system)
    maps = {one.arguments[1]: one for one in main.all("map")}
    form = maps["$error_form"]
    assert form.arguments[0] == "$request"
    rule = re.compile(form.block[0].name.removeprefix("~"))
    for line in (
        "POST /v1alpha1/comments:analyze?key=a HTTP/1.1",
        "GET //v1alpha1/ HTTP/1.1",
        "POST /batch HTTP/2.0",
        "POST /batch?x HTTP/2.0",
        "GET /$discovery/rest HTTP/1.1",
        "GET /%24discovery/rest HTTP/1.1",
        "POST http://toxic.example.org/v1alpha1/comments:analyze HTTP/1.1",
        # Cut off, as it was too long.
        "GET /v1alpha1/comments:analyze?key=aaaaa",
    ):
        assert rule.search(line), line
    for line in ("", "POST /predict HTTP/1.1", "GET /batches HTTP/1.1", "GET /predict?/v1alpha1"):
        assert not rule.search(line), line
    public, _ = servers(system, "defaults")
    pages = {code for one in public.all("error_page") for code in one.arguments[:-2]}
    assert pages >= {"400", "405", "413", "414", "429", "494", "502", "503", "504"}
    for one in public.all("error_page"):
        status = one.arguments[-2].removeprefix("=")
        block = {one.name: one.arguments[0] for one in maps[f"$error_{status}"].block}
        assert set(block) == {"google", "problem", "default"}
        forms = {name: json.loads(text.replace("\\n", "")) for name, text in block.items()}
        google, own = forms["google"]["error"], forms["default"]["error"]
        problem = forms["problem"]
        assert {"code", "message", "status"} <= set(google)
        assert str(google["code"]) == str(own["status"]) == str(problem["status"]) == status
        # Explained at /docs, and in the document's list of codes.
        assert problem["title"] == TITLES[own["code"]]
        assert problem["type"] == f"/docs#error-{own['code']}"
        assert (problem["code"], problem["detail"]) == (own["code"], own["message"])


@pytest.mark.parametrize("system", SYSTEMS)
def test_errors_of_nginx_have_the_form_that_accept_names(system: str):
    maps = {one.arguments[1]: one for one in parsed(NGINX, system).all("map")}
    assert maps["$error_form"].block[-1].arguments == ("$own_form",)
    (never, wanted, default) = maps["$own_form"].block
    assert default.arguments == ("own",)

    def form(accept: str) -> str:
        for one in (never, wanted):
            if re.search(one.name.removeprefix("~*"), accept, re.IGNORECASE):
                return one.arguments[0]
        return default.arguments[0]

    problem = "application/problem+json"
    for accept in (problem, problem.upper(), f"text/html, {problem};q=0.5", f"{problem}, */*"):
        assert form(accept) == "problem", accept
    for accept in ("", "*/*", "application/json", f"{problem};q=0", f"{problem}; q=0.0, */*"):
        assert form(accept) == "own", accept
    public, _ = servers(system, "defaults")
    for one in public.all("location"):
        if one.arguments[-1].startswith(("@error_", "/.error/")):
            (types,) = (part for part in one.block if part.name == "types")
            assert {part.name: part.arguments for part in types.block} == {problem: ("problem",)}


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_rate_that_is_used_up_is_told_and_a_limit_of_connections_is_not(system: str):
    main = parsed(NGINX, system)
    maps = {one.arguments[1]: one for one in main.all("map")}
    used_up = maps["$used_up"]
    assert used_up.arguments[0] == "$limit_req_status $keyed $request_path"

    def rate(values: str) -> str:
        for one in used_up.block[:-1]:
            if re.search(one.name.removeprefix("~"), values):
                return one.arguments[0]
        return used_up.block[-1].arguments[0]

    assert rate("REJECTED  /predict") == "address"
    assert rate("REJECTED 1 /v1alpha1/comments:analyze") == "keyed"
    for values in ("PASSED  /predict", "PASSED 1 /predict", "  /predict", "REJECTED  /readyz"):
        assert rate(values) == "", values
    limits, resets = (
        {one.name: one.arguments[0] for one in maps[name].block}
        for name in ("$rate_limit", "$rate_reset")
    )
    assert limits == {"address": "201", "keyed": "1001", "default": ""}
    assert resets == {"address": "5", "keyed": "3", "default": ""}
    public, _ = servers(system, "defaults")
    (page,) = (one for one in public.all("location") if one.arguments == ("@error_429",))
    headers = {one.arguments[0]: one.arguments[1:] for one in page.all("add_header")}
    assert headers["RateLimit-Limit"] == ("$rate_limit", "always")
    assert headers["RateLimit-Remaining"] == ("$rate_remaining", "always")
    assert headers["RateLimit-Reset"] == ("$rate_reset", "always")


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_page_may_read_the_headers_of_nginxs_errors(system: str):
    main = parsed(NGINX, system)
    (exposed,) = (one for one in main.all("map") if one.arguments[1] == "$readable_headers")
    assert exposed.block[-1].arguments[0] == EXPOSED_HEADERS
    public, _ = servers(system, "defaults")
    for one in public.all("location"):
        if list(one.all("return")):
            headers = {header.arguments[0] for header in one.all("add_header")}
            assert headers >= {"Access-Control-Allow-Origin", "Access-Control-Expose-Headers"}


@pytest.mark.parametrize("system", SYSTEMS)
def test_readyz_has_a_lower_rate_beside_the_usual_one(system: str):
    public, probes = servers(system, "defaults")
    (readyz,) = (one for one in public.all("location") if one.arguments == ("=", "/readyz"))
    zones = {one.arguments[0] for one in readyz.all("limit_req")}
    assert zones == {"zone=address_requests", "zone=client_readiness"}
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


@pytest.mark.parametrize("unit", [SLOT, MONGOD_LIMITS, NGINX_DROP_IN])
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
    (syslog,) = (name.split() for name in rules if "/var/log/messages" in name)
    # Strangers at sshd fill them, of EL and of Debian.
    assert {"/var/log/secure", "/var/log/auth.log", "/var/log/kern.log"} < set(syslog)
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


def test_gunicorn_logs_no_words_of_a_request():
    settings = parsed(GUNICORN, "debian12", "gunicorn")["logconfig_dict"]
    assert settings["handlers"]["stderr"]["filters"] == ["requests"]
    quiet = settings["filters"]["requests"]["()"]()

    def logged(message: str, *arguments: str, error: str = "") -> str:
        information = (ValueError, ValueError(error), None) if error else None
        record = logging.LogRecord("a", 40, "", 0, message, arguments, information)
        assert quiet.filter(record)
        return logging.Formatter().format(record)

    assert logged("Error handling request %s", "/batch?key=a", error="b") == (
        "Error handling request ValueError"
    )
    assert logged("Invalid request from ip=1: '/batch?key=a'") == "Invalid request"
    # Why a slot does not start has to be in the journal.
    assert "why" in logged("Exception in worker process", error="why")
    assert logged("Listening at: %s", "unix:/run") == "Listening at: unix:/run"


@pytest.mark.parametrize(
    ("variant", "added"), [("defaults", []), ("own_choices", ["192.0.2.7", "2001:db8::/32"])]
)
def test_metrics_are_for_the_server_and_for_those_who_are_named(variant: str, added: list[str]):
    public, _ = servers("debian12", variant)
    (place,) = (one for one in public.all("location") if one.arguments == ("=", "/metrics"))
    rules = [(one.name, *one.arguments) for one in place.block if one.name in ("allow", "deny")]
    allowed = ["127.0.0.1", "::1", *added]
    assert rules == [*(("allow", one) for one in allowed), ("deny", "all")]
