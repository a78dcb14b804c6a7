"""Loopback ports: the requested one or a one-line error, otherwise the first free one."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from free_ports import free_port

from controller import ports
from controller.ports import PortError


@pytest.fixture
def used() -> Iterator[int]:
    """A port on which something listens."""
    with socket.socket() as listener:
        listener.bind((ports.LOOPBACK, 0))
        listener.listen()
        yield listener.getsockname()[1]


def can_forward() -> bool:
    """Whether this user can make a network of its own, with rules that forward a port."""
    command = ["unshare", "--net", "iptables", "--table", "nat", "--list-rules"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 (a constant)
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not can_forward(), reason="needs root, unshare and iptables")
def test_port_that_a_killed_container_engine_still_forwards_is_skipped() -> None:
    script = f"""
        ip link set lo up
        iptables -t nat -A OUTPUT -p tcp --dport 8080 -j DNAT --to-destination 127.0.0.9:9
        {sys.executable} -c 'from controller import ports
        print(ports.problem(8080), ports.first_free("SERVE_PORT", 8080), sep=": ")'
    """
    done = subprocess.run(  # noqa: S603 (a constant)
        ["unshare", "--net", "sh", "-euc", textwrap.dedent(script)],  # noqa: S607
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == (
        "is forwarded elsewhere by this machine's firewall: 8081\n",
        "",
    )


@pytest.mark.parametrize("requested", [None, ""])
def test_port_in_use_is_skipped(used: int, requested: str | None) -> None:
    assert ports.requested_or_free("SERVE_PORT", requested, used) > used


def test_port_that_is_listened_on_is_not_chosen_again() -> None:
    preferred = free_port()
    with ports.listen("SERVE_PORT", None, preferred) as first:
        with ports.listen("SERVE_PORT", None, preferred) as second:
            assert first.getsockname()[1] != second.getsockname()[1]
        with pytest.raises(PortError, match="is in use: set SERVE_PORT"):
            ports.listen("SERVE_PORT", str(first.getsockname()[1]), preferred)


def test_requested_port_is_used() -> None:
    free = free_port()
    assert ports.requested_or_free("SERVE_PORT", str(free), 8080) == free


def test_requested_port_that_is_in_use_is_a_one_line_error(used: int) -> None:
    with pytest.raises(PortError) as failure:
        ports.requested_or_free("SERVE_PORT", str(used), 8080)
    assert str(failure.value) == (
        f"port {used} on 127.0.0.1 is in use: set SERVE_PORT to another port, or unset it"
    )


@pytest.mark.parametrize("requested", ["http", "0", "65536", "-1", "²"])
def test_request_that_is_not_a_port_is_refused(requested: str) -> None:
    message = f"SERVE_PORT={requested} is not a TCP port: set a number from 1 to 65535"
    with pytest.raises(PortError, match=message):
        ports.requested_or_free("SERVE_PORT", requested, 8080)


def test_reserved_port_has_its_own_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(PortError, match=r"port 80 on 127\.0\.0\.1 is reserved for root"):
        ports.requested_or_free("SERVE_PORT", "80", 8080)


def test_no_free_port_is_a_one_line_error() -> None:
    with pytest.raises(PortError, match=r"no free port from 8080 to 8279 .*: set SERVE_PORT to"):
        ports.first_free("SERVE_PORT", 8080, lambda port: "is in use")


def test_search_ends_at_the_last_port() -> None:
    with pytest.raises(PortError, match="no free port from 65500 to 65535"):
        ports.first_free("SERVE_PORT", 65500, lambda port: "is in use")
