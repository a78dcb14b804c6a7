"""The audit log: whole lines, of a limited size, even on a full disk."""

from __future__ import annotations

import errno
import os

import pytest
from fake_server import FakeServer

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
