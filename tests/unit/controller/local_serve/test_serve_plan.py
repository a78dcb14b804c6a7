"""What `make serve` decides before it starts anything."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import yaml

from controller.local_serve import ServeError, plan
from controller.local_serve.plan import Places

CHECKOUT = Path(__file__).resolve().parents[4]
PLACES = Places(CHECKOUT, Path("/state"))


@pytest.fixture
def taken():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_all_that_is_written_is_in_one_directory():
    written = (PLACES.bundle, PLACES.database, PLACES.lock, PLACES.ini, PLACES.log("app"))
    assert all(path.is_relative_to("/state") for path in written)


def options(text: str) -> dict[str, str]:
    lines = (line for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return dict(line.split(" = ", 1) for line in lines)


@pytest.fixture
def local() -> str:
    defaults = yaml.safe_load((CHECKOUT / plan.UWSGI_DEFAULTS).read_text())
    return plan.app_ini((CHECKOUT / plan.UWSGI_TEMPLATE).read_text(), defaults, 8080)


def test_the_app_server_is_set_up_as_on_a_server(local):
    server = options((CHECKOUT / plan.UWSGI_TEMPLATE).read_text())
    assert server.keys() - options(local).keys() == set(plan.SERVERS_OWN)
    assert options(local).keys() - server.keys() == {"http-socket", "no-orphans"}
    assert options(local)["module"] == "tox_com_det.wsgi:application"
    assert options(local)["threads"] == "2"
    assert "{{" not in local
    assert local.splitlines()[0].startswith("# ")


def test_a_template_that_wants_more_than_its_roles_defaults_is_told():
    with pytest.raises(ServeError, match=r"uwsgi\.ini\.j2 cannot be rendered here: 'fact'"):
        plan.app_ini("threads = {{ fact }}", {}, 8080)


def test_everything_listens_on_loopback_only(local):
    assert options(local)["http-socket"] == "127.0.0.1:8080"
    assert "--host=127.0.0.1" in plan.database_command("db", 1, Path("/state/database"))


def test_the_surroundings_cannot_turn_the_app_into_another_one():
    around = {"PATH": "/bin", "UWSGI_HTTP": ":80", "PYTHONPATH": "/x", "PYTHONHOME": "/y"}
    around["TOX_COM_DET_MONGODB_URI"] = "mongodb://elsewhere:1"
    assert plan.environment(around, PLACES, 4711) == {
        "PATH": "/bin",
        "PYTHONPATH": str(CHECKOUT / "app"),
        "TOX_COM_DET_MODEL": "/state/bundle",
        "TOX_COM_DET_SLOT": "local",
        "TOX_COM_DET_MONGODB_URI": "mongodb://127.0.0.1:4711",
    }


def test_the_next_free_port_is_taken(taken):
    assert plan.serving_port(None, preferred=taken) > taken
    assert plan.serving_port("", preferred=taken) > taken


def test_a_chosen_port_is_that_one_or_one_clear_line(taken):
    free = plan.any_port()
    assert plan.serving_port(str(free)) == free
    with pytest.raises(ServeError) as failure:
        plan.serving_port(str(taken))
    assert str(failure.value) == (
        f"port {taken} on 127.0.0.1 is taken: set SERVE_PORT to another one, or leave it out"
    )


@pytest.mark.parametrize("asked", ["http", "0", "65536", "-1", "²"])
def test_a_port_that_is_none_is_refused(asked):
    with pytest.raises(ServeError, match="is not a TCP port: give a number"):
        plan.serving_port(asked)


def test_a_port_that_the_user_may_not_have_is_told_from_a_taken_one(monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(
        ServeError, match=r"port 80 on 127\.0\.0\.1 is not for users who are not root"
    ):
        plan.serving_port("80")


def test_where_no_port_is_free_it_is_told():
    with pytest.raises(ServeError, match="no free port between 8080 and 8279"):
        plan.next_port(8080, lambda port: "is taken")


def test_a_program_is_the_environments_own_else_the_paths(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    with pytest.raises(ServeError, match=r"uwsgi is not in .*: run 'make venv' again"):
        plan.program(("uwsgi", "pyuwsgi"), "run 'make venv' again", tmp_path)
    (tmp_path / "path").mkdir()
    (tmp_path / "path/pyuwsgi").touch(mode=0o755)
    assert plan.program(("uwsgi", "pyuwsgi"), "x", tmp_path) == str(tmp_path / "path/pyuwsgi")
    (tmp_path / "pyuwsgi").touch(mode=0o755)
    assert plan.program(("uwsgi", "pyuwsgi"), "x", tmp_path) == str(tmp_path / "pyuwsgi")
