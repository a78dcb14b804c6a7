"""The database listens on loopback by default and is never opened without protection.

Remote access requires authentication, TLS and firewall rules for named sources. The users are
created in SecantusDB, a stand-in for MongoDB.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import parsers
import pytest
from ansible_run import PROJECT, load, run_tasks
from database_server import DatabaseServer
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from rendering import SYSTEMS, VARIANTS, Variant, owners, render

from tox_com_det.suggestions.collection import DATABASE
from tox_com_det.suggestions.store import SuggestionStore

MONGOD = "etc/mongod.conf.j2"
ZONE = "etc/firewalld/zones/public.xml.j2"
(REMOTE,) = (variant for variant in VARIANTS if variant.name == "mongodb_remote")
ADMIN = {
    "name": "admin",
    "password": "the admin's own",
    "roles": [{"role": "root", "db": "admin"}],
}
USER_ADMIN = {**ADMIN, "roles": [{"role": "userAdminAnyDatabase", "db": "admin"}]}
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
    # 4.0 on CentOS 7 has the older names.
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
        ({"mongodb_remote_sources": []}, "mongodb_remote_sources is empty"),
        ({"mongodb_remote_sources": ["0.0.0.0/0"]}, "allows every address"),
        ({"mongodb_remote_sources": ["203.0.113.7", "::/0"]}, "allows every address"),
        ({"mongodb_remote_bind_ip": "0.0.0.0"}, "is not a single address"),
        ({"mongodb_remote_bind_ip": ""}, "is not a single address"),
        ({"mongodb_access_users": []}, "has no administrator"),
        (
            {"mongodb_replica_set": "toxic", "mongodb_access_users": [USER_ADMIN, APP]},
            "has no user with role root in admin, who changes the members of the replica set",
        ),
        ({"mongodb_access_users": [APP]}, "has no administrator"),
        ({"mongodb_access_users": [{**ADMIN, "password": "short"}]}, "shorter than 12"),
        ({"flask_app_mongodb_uri": "mongodb://127.0.0.1:27017"}, "has no user and password"),
        ({"mongodb_provider": "secantusdb"}, "mongodb_provider is not mongodb-org"),
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
    assert names.index("Check the requirements of remote access") < names.index("Install MongoDB")


def test_no_password_is_logged():
    users = load(PROJECT / "roles/mongodb_access/tasks/users.yml")
    with_passwords = [task for task in users if "community.mongodb.mongodb_user" in task]
    assert len(with_passwords) == 3
    assert all(task["no_log"] is True for task in with_passwords)
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


@pytest.fixture
def server(tmp_path: Path) -> Iterator[DatabaseServer]:
    server = DatabaseServer(tmp_path / "database")
    server.start()
    yield server
    server.stop()


def manage(
    directory: Path, server: DatabaseServer, *users: dict, **more: Any
) -> tuple[int, int, str]:
    """Run the role's tasks: exit status, number of changed tasks, output without passwords."""
    variables = {
        "mongodb_access_users": users,
        "mongodb_port": server.port,
        "__layout_driver_of_app": True,
        "__layout_driver_python": shlex.quote(sys.executable),
        **more,
    }
    code, changed, output = run_tasks(directory, "mongodb_access", "users.yml", variables)
    assert not [user["name"] for user in users if user["password"] in output]
    return code, changed, output


def roles_after_login(server: DatabaseServer, user: dict) -> list[dict]:
    """Log in as the user; return the user's roles. Raises OperationFailure: wrong password."""
    with MongoClient(
        "127.0.0.1", server.port, username=user["name"], password=user["password"]
    ) as client:
        (found,) = client.admin.command("usersInfo", user["name"])["users"]
        return found["roles"]


def test_users_are_created_once_and_log_in_with_their_password(
    tmp_path: Path, server: DatabaseServer
):
    code, _, output = manage(tmp_path, server, ADMIN, APP)
    assert code == 0, output
    assert roles_after_login(server, APP) == APP["roles"]
    with pytest.raises(OperationFailure):
        roles_after_login(server, {**APP, "password": "another one"})
    assert manage(tmp_path, server, ADMIN, APP)[:2] == (0, 0)


def test_another_password_and_other_roles_are_set_once(tmp_path: Path, server: DatabaseServer):
    manage(tmp_path, server, ADMIN, APP)
    for change in (
        {"password": "a new one, from now on"},
        {"roles": [{"role": "read", "db": "word_embeddings"}]},
    ):
        user = {**APP, "password": "a new one, from now on", **change}
        assert manage(tmp_path, server, ADMIN, user)[:2] == (0, 1)
        assert roles_after_login(server, user) == user["roles"]
        assert manage(tmp_path, server, ADMIN, user)[:2] == (0, 0)


def test_without_an_administrator_nothing_is_created(tmp_path: Path, server: DatabaseServer):
    code, changed, output = manage(tmp_path, server, APP)
    assert (code, changed) == (2, 0)
    assert "none of mongodb_access_users is an administrator" in output
    with pytest.raises(OperationFailure):
        roles_after_login(server, APP)


def test_a_wrong_password_of_the_administrator_changes_nothing_and_is_reported(
    tmp_path: Path, server: DatabaseServer
):
    manage(tmp_path, server, ADMIN, APP)
    server.stop()
    server.start("--auth")
    wrong = {**ADMIN, "password": "not the admin's own"}
    code, changed, output = manage(tmp_path, server, wrong, {**APP, "password": "never set here"})
    assert (code, changed) == (2, 0)
    assert "admin can neither log in to the database nor be created" in output
    assert manage(tmp_path, server, ADMIN, APP)[:2] == (0, 0)


STORING = {
    "flask_app_perspective_store_suggestions": True,
    "flask_app_mongodb_uri": f"mongodb://{APP['name']}:pw@127.0.0.1:27017/?authSource=admin",
}
WRITES = {**APP, "roles": [*APP["roles"], {"role": "readWrite", "db": DATABASE}]}


def test_where_suggestions_are_stored_the_services_user_needs_the_right_to_write_them(
    tmp_path: Path, server: DatabaseServer
):
    code, changed, output = manage(tmp_path, server, ADMIN, APP, **STORING)
    assert (code, changed) == (2, 0)
    words = " ".join(output.split())
    assert f"{APP['name']} of flask_app_mongodb_uri may not write database perspective" in words
    assert manage(tmp_path, server, ADMIN, APP)[0] == 0
    code, changed, output = manage(tmp_path, server, ADMIN, WRITES, **STORING)
    assert (code, changed) == (0, 1), output


def test_a_user_with_these_rights_stores_and_one_without_is_refused(
    tmp_path: Path, server: DatabaseServer
):
    plain = {**APP, "name": "plain", "password": "a password of the plain one"}
    manage(tmp_path, server, ADMIN, WRITES, plain)
    server.stop()
    server.start("--auth")
    for user, problem in ((WRITES, ""), (plain, "suggestions are not stored: MongoDB at")):
        login = f"{user['name']}:{quote(str(user['password']), safe='')}"
        uri = f"mongodb://{login}@127.0.0.1:{server.port}/?authSource=admin"
        with closing(SuggestionStore(uri, 10_000, 1_000_000, 30)) as suggestions:
            assert suggestions.problem().startswith(problem)
            assert bool(suggestions.problem()) == bool(problem)
            assert user["password"] not in suggestions.problem()
            if not problem:
                assert suggestions.add([{"at": datetime.now(UTC), "text": "a"}]) == 1
