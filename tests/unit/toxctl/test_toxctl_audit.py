"""The audit log: whole lines, of a limited size, even on a full disk."""

from __future__ import annotations

import errno
import os

import pytest
from fake_server import FakeServer
from session_helper import session

from toxctl import audit, config


@pytest.fixture
def log(serving: FakeServer) -> audit.Audit:
    return audit.Audit(config.load(str(serving.config_path)))


def test_attempt_begins_although_the_disk_is_full(
    log: audit.Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise nobody could begin the prune that makes room."""

    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(audit, "write_file", no_room)
    log.keep({"id": "a1"})
    log.end({"id": "a1"})
    assert [line["id"] for line in log.newest(1)] == ["a1"]


def test_log_keeps_its_newest_half(log: audit.Audit) -> None:
    for number in range(12):
        log.add({"id": number, "text": "x" * 100_000})
    kept = [line["id"] for line in log.newest(100)]
    assert kept[0] == 11
    assert kept == list(range(11, 11 - len(kept), -1))
    assert 4 <= len(kept) <= 7
    with open(log.path, "a", encoding="utf-8") as file:
        file.write('{"id": 12, "te')  # the disk was full
    log.add({"id": 13})
    assert [line["id"] for line in log.newest(2)] == [13, 11]


def test_history_without_attempts_says_so(serving: FakeServer) -> None:
    assert serving.run("history").stdout == "no attempts yet\n"
    assert serving.json("history", "-n", "3").result == {"attempts": []}


@pytest.fixture
def left_over(serving: FakeServer, log: audit.Audit) -> FakeServer:
    """A server on whose full disk an attempt could not write its line."""
    log.keep(audit.Attempt({"id": "a1", "task": "deploy-model", "who": "anna"}, None).content())
    os.symlink("/dev/full", log.path)
    serving.answers("collections", """echo '{"collections": []}'""")
    return serving


@pytest.mark.parametrize("verb", [("prune",), ("unlock", "--by", "anna")])
def test_line_of_an_attempt_that_met_a_full_disk_waits_for_room(
    left_over: FakeServer, log: audit.Audit, verb: tuple[str, ...]
) -> None:
    """Otherwise nobody could begin the prune that makes room."""
    assert left_over.run(*verb).returncode == 0
    assert os.path.exists(log.open_path)
    os.unlink(log.path)
    assert left_over.run("prune").returncode == 0
    assert [line["id"] for line in log.newest(2)] == ["a1"]
    assert not os.path.exists(log.open_path)


def test_session_begins_although_the_line_before_it_has_no_room(
    left_over: FakeServer, log: audit.Audit
) -> None:
    with session(left_over) as one:
        assert one.first["result"] == {"id": "a1"}
        os.unlink(log.path)
        one.send({"end": {"result": "done", "reason": None}})
        assert one.read() == {"result": {}}
    assert [line["result"] for line in log.newest(3)] == ["done", "cut off"]
