"""Module `port_check`: an open port, a refused, a rejected and a silent one are told apart."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from types import ModuleType

import pytest
from from_file import from_file

ADDRESS = "127.0.0.1"


@pytest.fixture(scope="module")
def check() -> ModuleType:
    return from_file("plugins/modules/port_check.py")


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.socket() as server:
        server.bind((ADDRESS, 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.fixture
def closed() -> Iterator[int]:
    """A port that is bound, so that nobody else can listen on it."""
    with socket.socket() as server:
        server.bind((ADDRESS, 0))
        yield server.getsockname()[1]


def test_an_open_and_a_refused_port(check: ModuleType, listening: int, closed: int):
    assert check.state_of(ADDRESS, listening, 60) == "open"
    assert check.state_of(ADDRESS, closed, 60) == "refused"


def test_a_full_queue_gives_no_answer(check: ModuleType):
    """Linux drops a connection for which the listener has no place."""
    with socket.socket() as server:
        server.bind((ADDRESS, 0))
        server.listen(0)
        port = server.getsockname()[1]
        kept = [socket.socket() for _ in range(4)]
        for one in kept:
            one.setblocking(False)
            one.connect_ex((ADDRESS, port))
        assert check.state_of(ADDRESS, port, 0.5) == "no answer"
        for one in kept:
            one.close()


@pytest.mark.parametrize("number", [errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES])
def test_an_icmp_message_is_a_rejection(
    check: ModuleType, monkeypatch: pytest.MonkeyPatch, number: int
):
    def reject(*_: object, **__: object) -> None:
        raise OSError(number, "rejected")

    monkeypatch.setattr(socket, "create_connection", reject)
    assert check.state_of(ADDRESS, 1, 1) == "rejected"


def test_an_unknown_name_is_no_rejection(check: ModuleType, monkeypatch: pytest.MonkeyPatch):
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", unknown)
    assert check.state_of("no.such.host", 1, 1) == "unknown host (Name or service not known)"


@pytest.mark.parametrize(
    ("expected", "state", "words"),
    [
        ("open", "open", ""),
        ("open", "refused", "nothing listens there"),
        ("open", "rejected", "the server's firewall does not allow it"),
        ("open", "no answer", "a firewall drops it"),
        ("closed", "rejected", ""),
        ("closed", "no answer", ""),
        ("closed", "open", "it answers to other hosts"),
        ("closed", "refused", "firewall let the packet pass"),
        ("closed", "failed (strange)", "failed (strange), expected closed"),
    ],
)
def test_what_is_expected(check: ModuleType, expected: str, state: str, words: str):
    port = {"port": 27017, "name": "database"}
    line, unexpected = check.compare("192.0.2.1", port, state, expected)
    assert line.startswith("192.0.2.1 27017/tcp database: ")
    assert bool(unexpected) == bool(words)
    assert words in unexpected


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("203.0.113.9", "open"),
        ("2001:db8::5", "open"),
        ("fe80::1%eth0", "closed"),
        ("198.51.100.1", "closed"),
        ("", "closed"),
        ("UNKNOWN", "closed"),
    ],
)
def test_remote_access_is_for_the_listed_addresses(check: ModuleType, client: str, expected: str):
    port = {"sources": ["203.0.113.7/24", "2001:db8::/64"], "expected": "closed"}
    assert check.expected_state(port, client) == expected
