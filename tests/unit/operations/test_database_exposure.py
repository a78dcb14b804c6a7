"""The database listens on loopback by default and is never opened without protection.

Remote access requires authentication, TLS and firewall rules for named sources. The users are
created in SecantusDB, a stand-in for MongoDB.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import parsers
import pytest
from ansible_run import PROJECT, load, run_tasks
from database_server import DatabaseServer
from rendering import SYSTEMS, VARIANTS, Variant, owners, render

MONGOD = "etc/mongod.conf.j2"
ZONE = "etc/firewalld/zones/public.xml.j2"
PROGRAM = PROJECT / "roles/mongodb_access/files/mongo-users"
(REMOTE,) = (variant for variant in VARIANTS if variant.name == "mongodb_remote")
ADMIN = {
    "name": "admin",
    "password": "the admin's own",
    "roles": [{"role": "root", "db": "admin"}],
}
APP = {
    "name": "tox_com_det",
    "password": "p@ss word/ of the app",
    "roles": [{"role": "readWrite", "db": "word_embeddings"}],
}
GOOD = {
    "mongodb_provider": "mongodb-org",
    "mongodb_remote_access": True,
    "mongodb_remote_bind_ip": "198.51.100.4",
    "mongodb_remote_sources": ["203.0.113.0/24"],
    "mongodb_access_users": [ADMIN, APP],
    "flask_app_mongodb_uri": "mongodb://tox_com_det:p%40ss@127.0.0.1:27017/?authSource=admin",
}


def mongod(system: str, variant: Variant = VARIANTS[0]) -> dict[str, object]:
    return parsers.mongod(render(MONGOD, owners()[MONGOD], system, variant))


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_database_listens_on_loopback_only_by_default(system: str):
    found = mongod(system)
    assert found["net.bindIp"] == "127.0.0.1"
    zone = render(ZONE, owners()[ZONE], system, VARIANTS[0])
    assert "27017" not in zone
    assert "<rule" not in zone


@pytest.mark.parametrize("system", SYSTEMS)
def test_remote_access_requires_users_tls_and_named_sources(system: str):
    found = mongod(system, REMOTE)
    assert found["net.bindIp"] == "127.0.0.1,198.51.100.4"
    assert found["security.authorization"] == "enabled"
    # 4.0, CentOS 7's own, has the older words.
    word, key = ("ssl", "PEMKeyFile") if system == "centos7" else ("tls", "certificateKeyFile")
    assert found[f"net.{word}.mode"] == f"require{word.upper()}"
    assert found[f"net.{word}.{key}"] == "/etc/mongod-key.pem"
    zone = render(ZONE, owners()[ZONE], system, REMOTE)
    assert zone.count("<rule") == 2
    assert '<port port="27017" protocol="tcp"/>' not in zone.split("<rule")[0]
    for family, source in (("ipv4", "203.0.113.7"), ("ipv6", "2001:db8::/64")):
        assert f'<rule family="{family}">\n    <source address="{source}"/>\n' in zone


def test_a_complete_configuration_passes(tmp_path: Path):
    code, changed, output = run_tasks(tmp_path, "mongodb", "remote.yml", GOOD)
    assert (code, changed) == (0, 0), output


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"mongodb_remote_sources": []}, "mongodb_remote_sources names nobody"),
        ({"mongodb_remote_sources": ["0.0.0.0/0"]}, "names everybody"),
        ({"mongodb_remote_sources": ["203.0.113.7", "::/0"]}, "names everybody"),
        ({"mongodb_remote_bind_ip": "0.0.0.0"}, "is not one address"),
        ({"mongodb_remote_bind_ip": ""}, "is not one address"),
        ({"mongodb_access_users": []}, "has no administrator"),
        ({"mongodb_access_users": [APP]}, "has no administrator"),
        ({"mongodb_access_users": [{**ADMIN, "password": "short"}]}, "shorter than 12"),
        ({"flask_app_mongodb_uri": "mongodb://127.0.0.1:27017"}, "has no user and password"),
        ({"mongodb_provider": "secantusdb"}, "is a stand-in"),
    ],
)
def test_an_incomplete_configuration_is_rejected(
    tmp_path: Path, wrong: dict[str, object], words: str
):
    code, _, output = run_tasks(tmp_path, "mongodb", "remote.yml", {**GOOD, **wrong})
    assert code != 0
    assert words in output
    for user in (ADMIN, APP):
        assert user["password"] not in output


def test_it_is_rejected_before_the_database_is_installed_or_configured():
    names = [task["name"] for task in load(PROJECT / "roles/mongodb/tasks/main.yml")]
    assert names.index("Look whether the database may be opened to others") < names.index(
        "Install MongoDB"
    )


def test_no_password_is_logged_or_a_command_line_argument():
    (_, make) = load(PROJECT / "roles/mongodb_access/tasks/users.yml")
    assert make["no_log"] is True
    assert "stdin" in make["ansible.builtin.command"]
    assert all("users" not in word for word in make["ansible.builtin.command"]["argv"][2:])
    (certificates,) = load(PROJECT / "roles/mongodb/tasks/tls.yml")
    assert certificates["no_log"] is True
    tasks = load(PROJECT / "roles/flask_app/tasks/main.yml")
    (configure,) = (task for task in tasks if task["name"] == "Configure the service")
    assert configure["no_log"] is True
    for role, name in (
        ("mongodb_access", "mongodb_access_users"),
        ("mongodb", "mongodb_tls_certificate_key"),
    ):
        spec = load(PROJECT / f"roles/{role}/meta/argument_specs.yml")["argument_specs"]["main"]
        assert spec["options"][name]["no_log"] is True


# --- the users, in a stand-in --------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseServer]:
    server = DatabaseServer(tmp_path_factory.mktemp("database"))
    server.start()
    yield server
    server.stop()


def make(server: DatabaseServer, *users: dict) -> tuple[int, list[str], str]:
    wanted = {"port": server.port, "tls": False, "users": users}
    done = subprocess.run(  # noqa: S603 (words of the tests, no shell)
        [sys.executable, PROGRAM],
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
        check=False,
    )
    changed = json.loads(done.stdout)["changed"] if done.returncode == 0 else []
    return done.returncode, changed, done.stdout + done.stderr


def program() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("mongo_users", str(PROGRAM))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("mongo_users", loader))
    loader.exec_module(module)
    return module


def test_users_are_made_once_and_log_in_with_their_password(server: DatabaseServer):
    code, changed, output = make(server, ADMIN, APP)
    assert code == 0, output
    assert changed == ["admin made", "tox_com_det made"]
    assert make(server, ADMIN, APP)[:2] == (0, [])
    gets_in = program().gets_in
    assert gets_in({"port": server.port}, APP)
    assert not gets_in({"port": server.port}, {**APP, "password": "another one"})


def test_another_password_and_other_roles_are_taken_over(server: DatabaseServer):
    make(server, ADMIN, APP)
    moved = {**APP, "password": "a new one, from now on"}
    assert make(server, ADMIN, moved)[1] == ["tox_com_det: another password"]
    other = {**moved, "roles": [{"role": "read", "db": "word_embeddings"}]}
    assert make(server, ADMIN, other)[1] == ["tox_com_det: other roles"]
    assert make(server, ADMIN, other)[1] == []


def test_without_an_administrator_nothing_is_made_and_no_password_is_printed(
    server: DatabaseServer,
):
    code, _, output = make(server, APP)
    assert code == 1
    assert "none of the users is an administrator" in output
    assert APP["password"] not in output
