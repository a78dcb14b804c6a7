"""Module `mongodb_replica_set` over the wire: SecantusDB says that it is a set of one member."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from database_server import DatabaseServer
from module_run import run_module

run = partial(run_module, "mongodb_replica_set")


@pytest.fixture(scope="module")
def lone_set(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseServer]:
    """Started without --standalone, it answers as primary of the set `secantus`."""
    server = DatabaseServer(Path(tmp_path_factory.mktemp("set")), standalone=False)
    server.start()
    yield server
    server.stop()


def test_a_set_as_it_should_be_is_unchanged(lone_set: DatabaseServer):
    member = f"127.0.0.1:{lone_set.port}"
    answer = run(name="secantus", members=[member], port=lone_set.port, initiate=True)
    assert (answer["changed"], answer["primary"], answer["is_primary"]) == (False, member, True)


def test_a_member_is_ready_and_observed(lone_set: DatabaseServer):
    for state in ("ready", "observed"):
        answer = run(name="secantus", state=state, port=lone_set.port)
        assert (answer["changed"], answer["is_primary"]) == (False, True)


def test_another_name_is_refused(lone_set: DatabaseServer):
    answer = run(name="toxic", members=[f"127.0.0.1:{lone_set.port}"], port=lone_set.port)
    assert answer["failed"]
    assert "is a member of replica set secantus" in str(answer["msg"])


def test_a_refused_command_fails_with_the_databases_words(lone_set: DatabaseServer):
    """The stand-in has no configuration of a set, so it cannot be restarted as a member."""
    answer = run(name="secantus", state="stepped_down", port=lone_set.port)
    assert answer["failed"]
    assert "no such command: 'replSetGetConfig'" in str(answer["msg"])


def test_a_database_that_does_not_run_is_a_failure_and_no_set(lone_set: DatabaseServer):
    del lone_set
    answer = run(name="toxic", state="ready", port=1, timeout=0)
    assert answer["failed"]
    assert "not ready after 0 s" in str(answer["msg"])
    assert run(name="toxic", state="observed", port=1)["primary"] == ""
