"""Requests of one client wait for each other, not for those of others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import contextmanager

import pytest

from tox_com_det.http import turns as module
from tox_com_det.http.turns import (
    PROBE,
    RUNNING,
    RUNNING_ALONE,
    Busy,
    Turns,
    client_of,
)

PATIENCE = 60.0  # only a failure waits for so long


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    """On a slow machine no request waits for too long, and no client was here too long ago."""
    monkeypatch.setattr(module, "WAIT_SECONDS", PATIENCE)
    monkeypatch.setattr(module, "ALONE_SECONDS", PATIENCE)


class Request(threading.Thread):
    """Takes a turn and holds it until it is told to end."""

    def __init__(self, turns: Turns, client: str, order: list[Request] | None = None) -> None:
        super().__init__(daemon=True)
        self.turns, self.client, self.order = turns, client, order
        self.runs, self.ends = threading.Event(), threading.Event()
        self.refused = False
        self.start()

    def run(self) -> None:
        try:
            with self.turns.turn(self.client):
                if self.order is not None:
                    self.order.append(self)
                self.runs.set()
                self.ends.wait(PATIENCE)
        except Busy:
            self.refused = True
            self.runs.set()

    def end(self) -> None:
        self.ends.set()
        self.join(PATIENCE)


def wait_until(condition: Callable[[], bool]) -> None:
    ticks = threading.Event()
    for _ in range(6000):
        if condition():
            return
        ticks.wait(0.01)
    raise AssertionError("the expected state was not reached")


def reach(turns: Turns, running: int, waiting: int) -> None:
    wait_until(lambda: turns.held() == (running, waiting))


@contextmanager
def ended(requests):
    try:
        yield requests
    finally:
        for request in requests:
            request.ends.set()
        for request in requests:
            request.join(PATIENCE)


def test_one_client_leaves_a_place_for_another():
    turns = Turns(64)
    with ended([Request(turns, "a") for _ in range(20)]) as requests:
        reach(turns, RUNNING_ALONE, 20 - RUNNING_ALONE)
        other = Request(turns, "b")
        requests.append(other)
        assert other.runs.wait(PATIENCE)
        assert turns.held()[0] == RUNNING
    assert turns.held() == (0, 0)


def test_a_client_beside_others_gets_one_place(monkeypatch):
    turns = Turns(64)
    with turns.turn("b"):
        pass
    with ended([Request(turns, "a") for _ in range(5)]):
        reach(turns, 1, 4)
    monkeypatch.setattr(module, "ALONE_SECONDS", 0.0)
    with ended([Request(turns, "a") for _ in range(5)]):
        reach(turns, RUNNING_ALONE, 3)


def test_clients_take_turns_whatever_number_of_requests_they_have():
    turns = Turns(64)
    order: list[Request] = []
    with ended([Request(turns, client) for client in "xyz"]) as requests:
        reach(turns, RUNNING, 0)
        for number, client in enumerate(("a",) * 4 + ("b", "c"), 1):
            requests.append(Request(turns, client, order))
            reach(turns, RUNNING, number)
        for number in range(3):
            requests[number].end()
            wait_until(lambda: len(order) > number)  # noqa: B023 (called at once)
        order[0].end()
        wait_until(lambda: len(order) == 4)
    assert [request.client for request in order] == ["a", "b", "c", "a", "a", "a"]


def test_a_probe_never_waits():
    turns = Turns(64)
    with ended([Request(turns, client) for client in "abcdef" * 9]):
        reach(turns, RUNNING, 51)
        with turns.turn(PROBE):
            assert turns.held() == (RUNNING, 51)


def test_a_full_house_refuses_the_client_with_the_most_requests():
    turns = Turns(16)  # 14 requests, 2 threads stay free
    with ended([Request(turns, "a") for _ in range(14)]) as requests:
        reach(turns, RUNNING_ALONE, 12)
        with pytest.raises(Busy), turns.turn("a"):
            pass
        others = []
        for number, client in enumerate("bcd", 1):
            others.append(Request(turns, client))
            requests.append(others[-1])
            wait_until(lambda: sum(one.refused for one in requests[:14]) == number)  # noqa: B023 (called here)
        reach(turns, RUNNING, 11)
        assert others[0].runs.wait(PATIENCE)
        assert not any(request.refused for request in others)


def test_a_client_with_somewhat_more_requests_keeps_those_that_wait():
    turns = Turns(16)
    with ended([Request(turns, "b") for _ in range(9)]) as requests:
        reach(turns, RUNNING_ALONE, 7)
        requests += [Request(turns, "a") for _ in range(5)]
        reach(turns, RUNNING, 11)
        with pytest.raises(Busy), turns.turn("a"):
            pass
        assert not any(one.refused for one in requests)
        requests.append(Request(turns, "c"))
        wait_until(lambda: sum(one.refused for one in requests[:9]) == 1)


def test_requests_are_refused_if_no_client_has_more_than_others():
    turns = Turns(8)
    with ended([Request(turns, client) for client in "abcdefg"]):
        reach(turns, RUNNING, 4)
        with pytest.raises(Busy), turns.turn("h"):
            pass


def test_a_server_of_few_threads_refuses_nothing():
    turns = Turns(2)
    with ended([Request(turns, "a")]):
        reach(turns, 1, 0)
        with turns.turn("a"):
            assert turns.held() == (2, 0)


def test_a_request_that_waits_for_too_long_is_refused():
    turns = Turns(64, wait_seconds=0.01)
    with ended([Request(turns, "a") for _ in range(RUNNING_ALONE)]):
        reach(turns, RUNNING_ALONE, 0)
        with pytest.raises(Busy), turns.turn("a"):
            pass
        assert turns.held() == (RUNNING_ALONE, 0)


def test_a_failure_gives_its_turn_back():
    turns = Turns(64)
    with pytest.raises(RuntimeError), turns.turn("a"):
        raise RuntimeError
    assert turns.held() == (0, 0)


def work() -> None:
    """Use the processor of this thread for a little longer than a request that just began."""
    end = time.thread_time() + 0.002
    while time.thread_time() < end:
        pass


class LongRequest(threading.Thread):
    """Works in steps, and rests after each, until it is told to end."""

    def __init__(self, turns: Turns, client: str, most: int = 1_000_000) -> None:
        super().__init__(daemon=True)
        self.turns, self.client, self.most = turns, client, most
        self.steps = 0
        self.ends = threading.Event()
        self.start()

    def run(self) -> None:
        with self.turns.turn(self.client):
            while not self.ends.is_set() and self.steps < self.most:
                work()
                self.turns.rest()
                self.steps += 1


@pytest.fixture
def patient(monkeypatch):
    """A request rests for as long as a shorter one runs."""
    monkeypatch.setattr(module, "REST_SECONDS", PATIENCE)
    monkeypatch.setattr(module, "REST_SECONDS_IN_ALL", PATIENCE)


@pytest.mark.parametrize("shorter", ["b", PROBE])
def test_a_long_request_rests_while_a_shorter_one_of_another_client_runs(patient, shorter):
    turns = Turns(64)
    with ended([LongRequest(turns, "a")]) as (long,):
        wait_until(lambda: long.steps > 3)
        with turns.turn(shorter):
            # One step may have been under way.
            wait_until(lambda: turns.resting() == 1)
            steps = long.steps
            time.sleep(0.05)
            assert long.steps == steps
        wait_until(lambda: long.steps > steps)


def test_requests_of_one_client_do_not_rest_for_each_other(patient):
    turns = Turns(64)
    with ended([LongRequest(turns, "a")]) as (long,):
        wait_until(lambda: long.steps > 3)
        with turns.turn("a"):
            steps = long.steps
            wait_until(lambda: long.steps > steps + 3)


def test_a_request_that_waits_for_its_turn_lets_nobody_rest(patient):
    turns = Turns(64)
    with ended([LongRequest(turns, client) for client in "abc"]) as requests:
        reach(turns, RUNNING, 0)
        requests.append(Request(turns, "d"))
        reach(turns, RUNNING, 1)
        before = [one.steps for one in requests[:3]]
        wait_until(lambda: all(a.steps > b for a, b in zip(requests, before, strict=False)))


def test_a_thread_without_a_turn_does_not_rest(patient):
    turns = Turns(64)
    with turns.turn("a"):
        work()
    turns.rest()


def test_long_requests_go_on_by_turns(patient):
    turns = Turns(64)
    requests = [LongRequest(turns, client, most=200) for client in "abc"]
    for request in requests:
        request.join(PATIENCE)
    assert [request.steps for request in requests] == [200] * 3
    assert turns.held() == (0, 0)


def test_a_long_request_ends_although_shorter_ones_never_stop(monkeypatch):
    monkeypatch.setattr(module, "REST_SECONDS", 0.01)
    monkeypatch.setattr(module, "REST_SECONDS_IN_ALL", 0.05)
    turns = Turns(64)
    with turns.turn("b"):
        long = LongRequest(turns, "a", most=50)
        long.join(PATIENCE)
        assert long.steps == 50


def test_a_long_request_leaves_half_of_the_time_to_clients_that_were_here(monkeypatch):
    """Also while none of their requests runs: one may come at any time."""
    turns = Turns(64)
    rests: list[float] = []
    with turns.turn("b"):
        pass
    monkeypatch.setattr(turns._progress, "wait", rests.append)
    with turns.turn("a"):
        end = time.thread_time() + 2 * module.LONG_SECONDS
        while time.thread_time() < end:
            pass
        turns.rest()
    assert rests
    # It is the difference of two times, and rounded.
    assert 0 < rests[0] <= module.REST_SECONDS + 1e-6
    rests.clear()
    monkeypatch.setattr(module, "ALONE_SECONDS", 0.0)
    with turns.turn("a"):
        while time.thread_time() < end + 2 * module.LONG_SECONDS:
            pass
        turns.rest()
    assert not rests


@pytest.mark.parametrize(
    ("environ", "client"),
    [
        ({"HTTP_X_TOX_COM_DET_CLIENT": "192.0.2.7", "REMOTE_ADDR": "127.0.0.1"}, "192.0.2.7"),
        ({"REMOTE_ADDR": "192.0.2.7"}, "192.0.2.7"),
        ({"HTTP_X_TOX_COM_DET_CLIENT": "2001:db8:1:2:3::4"}, "2001:db8:1:2::/64"),
        ({"HTTP_X_TOX_COM_DET_CLIENT": "2001:db8:1:2:ffff::1"}, "2001:db8:1:2::/64"),
        ({"HTTP_X_TOX_COM_DET_CLIENT": "probe"}, PROBE),
        ({"REMOTE_ADDR": ""}, ""),
        ({}, ""),
    ],
)
def test_a_client_is_an_address_or_its_network(environ, client):
    assert client_of(environ) == client
