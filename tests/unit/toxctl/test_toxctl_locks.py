"""Locks: who only checks is waited for, who holds one is not."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from toxctl import locks


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "a.lock")


def test_a_lock_that_is_only_checked_is_waited_for(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy machine may stop the process that checks while it has the lock."""
    naps: list[float] = []
    with locks.open_lock(path) as checking, locks.open_lock(path) as file:
        assert locks.try_lock(checking, fcntl.LOCK_SH)

        def nap(seconds: float) -> None:
            naps.append(seconds)
            if len(naps) == 50:
                fcntl.flock(checking, fcntl.LOCK_UN)

        monkeypatch.setattr(locks.time, "sleep", nap)
        assert locks.try_lock(file)
    assert len(naps) == 50


def test_a_check_that_hangs_is_not_waited_for_without_end(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "CHECK_SECONDS", 0.0)
    with locks.open_lock(path) as checking, locks.open_lock(path) as file:
        assert locks.try_lock(checking, fcntl.LOCK_SH)
        assert not locks.try_lock(file)
        # It left nothing behind: the lock can be taken as soon as the check has ended.
        fcntl.flock(checking, fcntl.LOCK_UN)
        assert locks.try_lock(checking)


def test_a_lock_that_is_held_is_refused(path: str) -> None:
    with locks.open_lock(path) as held, locks.open_lock(path) as file:
        assert locks.try_lock(held)
        assert not locks.try_lock(file)
        assert locks.is_held(path)
