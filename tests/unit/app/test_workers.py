"""Calls that run on a few threads: results, errors, context, and whose processor time it was."""

from __future__ import annotations

import threading
import time
from contextvars import ContextVar

import pytest

from tox_com_det.http.turn_parts import SHARE
from tox_com_det.http.turns import Turns
from tox_com_det.model.workers import Workers

NAME: ContextVar[str] = ContextVar("name", default="")


def burn(seconds: float) -> None:
    """Use the processor."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_calls_run_on_as_many_threads_as_there_are():
    workers = Workers(2)
    callers = [threading.Thread(target=workers.run, args=(record,)) for _ in range(20)]
    record.seen.clear()
    for one in callers:
        one.start()
    for one in callers:
        one.join(300)
    assert 1 <= len(record.seen) <= 2
    assert threading.get_ident() not in record.seen


class _Record:
    def __init__(self) -> None:
        self.seen: set[int] = set()

    def __call__(self) -> None:
        self.seen.add(threading.get_ident())
        time.sleep(0.005)


record = _Record()


def test_a_call_returns_its_result_and_raises_its_error():
    workers = Workers(1)
    assert workers.run(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        workers.run(lambda: 1 // 0)
    assert workers.run(lambda: 8) == 8


def test_a_call_has_the_context_of_its_caller():
    workers = Workers(1)
    token = NAME.set("caller")
    try:
        assert workers.run(NAME.get) == "caller"
    finally:
        NAME.reset(token)
    assert workers.run(NAME.get) == ""


def test_a_call_within_a_call_runs_at_once():
    workers = Workers(1)
    assert workers.run(lambda: workers.run(threading.get_ident)) == workers.run(threading.get_ident)


def test_what_a_call_uses_is_its_callers():
    workers = Workers(1)
    workers.run(lambda: burn(0.03))  # somebody else's
    times: list[float] = []

    def ask() -> None:
        times.append(workers.thread_time())
        times.append(workers.run(workers.thread_time))
        workers.run(lambda: burn(0.02))
        times.append(workers.thread_time())
        times.append(workers.run(workers.thread_time))

    caller = threading.Thread(target=ask)
    caller.start()
    caller.join(300)
    before, within, after, within_later = times
    assert before <= within <= after <= within_later
    # Its own call counts, and nobody else's.
    assert 0.02 <= after - before < 0.03 + after - within
    assert within < 0.03


def test_the_turns_count_what_a_worker_uses_for_a_request():
    workers = Workers(1)
    turns = Turns(threads=16, clock=workers.thread_time)

    def work() -> None:
        burn(0.02)
        turns.rest()

    with turns.turn("a"):
        share = SHARE.get()
        assert share is not None
        workers.run(work)
        assert share.used >= 0.02
        # Also what runs on its own thread afterwards.
        burn(0.02)
        turns.rest()
        assert share.used >= 0.04
    assert SHARE.get() is None
