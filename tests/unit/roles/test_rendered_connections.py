"""nginx, the slots, the deploys and the database agree on sockets, ports and addresses."""

from __future__ import annotations

import pytest
from parsers import server_json
from rendered_files import (
    GUNICORN,
    NGINX,
    SECANTUSDB,
    SERVER_JSON,
    SLOT,
    UWSGI,
    directives,
    parsed,
    rendered,
)
from rendering import SYSTEMS, Variant, owners, render

from tox_com_det.perspective.settings import PerspectiveSettings
from tox_com_det.settings import Settings

APP_ENV = "etc/tox_com_det/app.env.j2"


@pytest.mark.parametrize("system", SYSTEMS)
def test_nginx_deploys_and_slots_use_the_same_sockets_and_ports(system: str):
    main, server = parsed(NGINX, system), parsed(SERVER_JSON, system)
    (live,) = (one for one in main.all("upstream") if one.arguments == ("live",))
    assert next(live.all("server")).arguments[0] == f"unix:{server['live_link']}"
    passes = {one.arguments[0] for one in main.all("uwsgi_pass")}
    sockets = {f"unix:{server['socket'].format(slot=slot)}" for slot in server["slots"]}
    assert passes == {"live"} | sockets
    runtime = "/run/" + directives(SLOT, system)["RuntimeDirectory"]
    for slot in server["slots"]:
        assert f"{runtime}/app.sock".replace("%i", slot) == server["socket"].format(slot=slot)
    assert parsed(UWSGI, system)["uwsgi"]["socket"] == server["socket"].format(
        slot="$(TOX_COM_DET_SLOT)"
    )
    listened = {one.arguments[0] for one in main.all("listen")}
    assert server["probe_url"].removeprefix("http://") in listened
    assert str(server["http_port"]) in listened


def test_nginx_speaks_the_protocol_of_the_selected_server():
    """Both servers listen on the same sockets, so slots and deploys work the same with either."""
    assert "SLOT_SERVER=uwsgi\n" in rendered("etc/tox_com_det/app.env.j2", "centos7")
    assert "SLOT_SERVER=gunicorn\n" in rendered("etc/tox_com_det/app.env.j2", "centos7", "gunicorn")
    for system in SYSTEMS:
        uwsgi, http = parsed(NGINX, system), parsed(NGINX, system, "gunicorn")
        assert not list(uwsgi.all("proxy_pass"))
        assert not list(http.all("uwsgi_pass"))
        expected = [f"http://{one.arguments[0]}" for one in uwsgi.all("uwsgi_pass")]
        assert [one.arguments[0] for one in http.all("proxy_pass")] == expected
        settings = parsed(GUNICORN, system, "gunicorn")
        assert settings["bind"] == ["unix:/run/tox_com_det-blue/app.sock"]
        assert settings["umask"] == 0o777 & ~0o660
        assert settings["threads"] == int(parsed(UWSGI, system)["uwsgi"]["threads"])
        assert settings["wsgi_app"] == parsed(UWSGI, system)["uwsgi"]["module"]


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_service_knows_the_threads_of_its_server(system: str):
    settings = parsed(APP_ENV, system)
    assert settings.threads == int(parsed(UWSGI, system)["uwsgi"]["threads"])
    # `make serve` sets neither; the app's own defaults are those of the role.
    plain = Settings(model=settings.model)
    for name in ("threads", "max_unknown_words", "max_texts", "max_chars", "cache_words"):
        assert getattr(settings, name) == getattr(plain, name)


def test_one_client_cannot_occupy_all_threads_of_the_service():
    limits = {
        one.arguments[0]: int(one.arguments[1])
        for one in parsed(NGINX, "debian12").all("limit_conn")
    }
    threads = parsed(APP_ENV, "debian12").threads
    # Some stay free for probes and refusals, see http/turns.py.
    most = threads - min(4, threads // 8)
    assert limits["address_connections"] < limits["keyed_connections"] < most


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_slot_may_have_the_threads_that_it_starts(system: str):
    """In a small container systemd's own limit is 307."""
    threads = parsed(APP_ENV, system).threads
    assert int(directives(SLOT, system)["TasksMax"]) >= threads + 32


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_service_takes_every_header_that_nginx_accepts(system: str):
    """uWSGI drops a request with more, which nginx answers with 503."""
    settings = parsed(UWSGI, system)["uwsgi"]
    # nginx: 4 times 8k and 1k; the address is passed up to three times.
    assert int(settings["buffer-size"]) > 6 * 8192
    assert int(settings["max-vars"]) >= 3000
    settings = parsed(GUNICORN, system, "gunicorn")
    assert settings["limit_request_line"] == settings["limit_request_field_size"] == 0


@pytest.mark.parametrize("system", SYSTEMS)
def test_uwsgi_reads_no_body_by_itself(system: str):
    """With post-buffering and threads, uWSGI 2.0 ends workers that are well."""
    settings = parsed(UWSGI, system)["uwsgi"]
    assert int(settings["threads"]) > 1
    assert "post-buffering" not in settings


def test_memory_that_requests_have_freed_goes_back_to_the_system():
    assert "\nMALLOC_ARENA_MAX=1\n" in rendered(APP_ENV, "debian12")


@pytest.mark.parametrize("key", ["http_port", "probe_url"])
def test_deploys_use_the_ports_that_the_inventory_gives_to_nginx(key: str):
    ports = {"nginx_listen_port": 8000, "nginx_probe_port": 8001}
    text = render(SERVER_JSON, owners()[SERVER_JSON], "debian12", Variant("ports", ports))
    expected = {"http_port": 8000, "probe_url": "http://127.0.0.1:8001"}
    assert server_json(text)[key] == expected[key]


@pytest.mark.parametrize("system", SYSTEMS)
def test_nginx_has_access_to_the_sockets_of_the_slots(system: str):
    """The group of the runtime directory has to be that of nginx's user."""
    (user,) = (one.arguments[0] for one in parsed(NGINX, system).block if one.name == "user")
    assert directives(SLOT, system)["Group"] == user


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_service_uses_the_address_of_the_database(system: str):
    settings = parsed("etc/tox_com_det/app.env.j2", system)
    mongod = parsed("etc/mongod.conf.j2", system)
    listens = f"{mongod['net.bindIp']}:{mongod['net.port']}"
    assert settings.mongodb_uri == f"mongodb://{listens}"
    host, port = listens.split(":")
    assert f"--host {host} --port {port} " in directives(SECANTUSDB, system)["ExecStart"]


def test_the_service_reads_the_settings_of_the_perspective_api():
    default = parsed(APP_ENV, "debian12").perspective
    assert default == PerspectiveSettings()
    settings = parsed(APP_ENV, "debian12", "own_choices").perspective
    assert settings == PerspectiveSettings(
        {"TOXICITY": "toxic", "SPAM": "spam"},
        ("en", "de"),
        drop_unsupported=True,
        detect_languages=False,
        refuse_other_languages=True,
    )
