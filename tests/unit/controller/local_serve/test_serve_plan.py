"""What `make serve` decides before it starts anything."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from free_ports import free_port

from controller.local_serve import ServeError, plan, service
from controller.local_serve.plan import Places
from controller.ports import LOOPBACK

CHECKOUT = Path(__file__).resolve().parents[4]
PLACES = Places(CHECKOUT, Path("/state"))


def test_everything_that_is_written_is_in_one_directory():
    written = (PLACES.bundle, PLACES.database, PLACES.lock, PLACES.ini, PLACES.log("app"))
    assert all(path.is_relative_to("/state") for path in written)


def options(text: str) -> dict[str, str]:
    lines = (line for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return dict(line.split(" = ", 1) for line in lines)


def test_app_gets_a_socket_on_loopback(monkeypatch):
    monkeypatch.setenv("SERVE_PORT", str(free_port()))
    with service._listen() as listener:
        assert listener.getsockname() == (LOOPBACK, int(os.environ["SERVE_PORT"]))


@pytest.fixture
def local() -> str:
    defaults = yaml.safe_load((CHECKOUT / plan.UWSGI_DEFAULTS).read_text())
    return plan.app_ini((CHECKOUT / plan.UWSGI_TEMPLATE).read_text(), defaults, 7)


def test_app_server_has_the_configuration_of_a_server(local):
    server = options((CHECKOUT / plan.UWSGI_TEMPLATE).read_text())
    assert server.keys() - options(local).keys() == set(plan.SERVER_ONLY)
    assert options(local).keys() - server.keys() == {"http-socket", "add-header", "no-orphans"}
    assert options(local)["module"] == "tox_com_det.wsgi:application"
    assert options(local)["threads"] == "320"
    assert "{{" not in local
    assert local.splitlines()[0].startswith("# ")


def test_template_with_an_unknown_variable_is_an_error():
    with pytest.raises(ServeError, match=r"uwsgi\.ini\.j2 cannot be rendered: 'fact'"):
        plan.app_ini("threads = {{ fact }}", {}, 8080)


def test_every_process_listens_on_loopback_only(local):
    # The socket of service.py, whose address has a test of its own.
    assert options(local)["http-socket"] == "fd://7"
    assert "--host=127.0.0.1" in plan.database_command(["db"], 1, Path("/state/database"))


def test_variables_of_the_environment_cannot_change_the_app():
    inherited = {"PATH": "/bin", "UWSGI_HTTP": ":80", "PYTHONPATH": "/x", "PYTHONHOME": "/y"}
    inherited["TOX_COM_DET_MONGODB_URI"] = "mongodb://elsewhere:1"
    assert plan.environment(inherited, PLACES, 4711) == {
        "PATH": "/bin",
        "PYTHONPATH": str(CHECKOUT / "app"),
        "TOX_COM_DET_MODEL": "/state/bundle",
        "TOX_COM_DET_SLOT": "local",
        "TOX_COM_DET_MONGODB_URI": "mongodb://127.0.0.1:4711",
    }


def test_program_is_found_in_the_environment_then_on_the_path(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    with pytest.raises(ServeError, match=r"uwsgi is not installed in .*: run 'make venv' again"):
        plan.program(("uwsgi", "pyuwsgi"), "run 'make venv' again", tmp_path)
    (tmp_path / "path").mkdir()
    (tmp_path / "path/pyuwsgi").touch(mode=0o755)
    assert plan.program(("uwsgi", "pyuwsgi"), "x", tmp_path) == [str(tmp_path / "path/pyuwsgi")]
    (tmp_path / "pyuwsgi").touch(mode=0o755)
    assert plan.program(("uwsgi", "pyuwsgi"), "x", tmp_path) == [str(tmp_path / "pyuwsgi")]


def test_python_program_of_an_environment_with_a_blank_in_its_path_is_started(tmp_path):
    directory = tmp_path / "a checkout"
    directory.mkdir()
    script = directory / "uwsgi"
    # As pip installs a script that a wheel brings.
    script.write_text(f"#!{directory}/python3\nprint('started')\n")
    script.chmod(0o755)
    command = plan.program(("uwsgi",), "x", directory)
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 (built here)
    assert done.stdout == "started\n"
