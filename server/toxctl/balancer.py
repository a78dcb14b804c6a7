"""`toxctl balancer`: the app hosts behind HAProxy; one can be out while it switches releases.

HAProxy's runtime API, one command a connection:
https://docs.haproxy.org/2.6/management.html#9.3
"""

from __future__ import annotations

import csv
import io
import os
import select
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from toxctl import events, signals
from toxctl.errors import Interrupted, ToxctlError

__all__ = ["BACKEND", "SOCKET", "AppHost", "Haproxy", "hold_out", "put_back", "report"]

SOCKET = "/run/haproxy/admin.sock"  # role balancer
BACKEND = "app"
DRAIN_SECONDS = 20.0  # for requests that run: longer than any of the service may take
READY_SECONDS = 60.0
POLL_SECONDS = 0.2
LOOK_SECONDS = 1.0  # after which a signal is noticed at the latest
ANSWER_SECONDS = 10.0
MOST_BYTES = 1 << 20  # of an answer


@dataclass(frozen=True)
class AppHost:
    """One app host, as HAProxy sees it.

    Attributes:
        name: its name in the inventory.
        status: HAProxy's word: `UP`, `DOWN`, `DRAIN`, `MAINT`, also with a count (`UP 1/3`).
        check: the last health check and its HTTP status, such as `L7OK/200`; "" before the first.
        sessions: requests that run.
    """

    name: str
    status: str
    check: str
    sessions: int

    @property
    def serves(self) -> bool:
        """Whether it gets requests."""
        return self.status.split(" ")[0] == "UP"

    def answer(self) -> dict[str, Any]:
        """Return it for the JSON answer."""
        names = ("name", "status", "check", "sessions", "serves")
        return {name: getattr(self, name) for name in names}


class Haproxy:
    """HAProxy's runtime API."""

    def __init__(self, path: str = SOCKET) -> None:
        self.path = path

    def ask(self, command: str) -> str:
        """Send a command and return the answer; ToxctlError if nothing answers."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(ANSWER_SECONDS)
                connection.connect(self.path)
                connection.sendall(command.encode() + b"\n")
                answer = b""
                while len(answer) < MOST_BYTES and (part := connection.recv(1 << 16)):
                    answer += part
        except OSError as error:
            raise ToxctlError(
                f"HAProxy does not answer at {self.path} ({error.strerror or error}): run "
                "`sudo systemctl restart haproxy` on the balancer, or `ansible-playbook site.yml "
                "--tags balancer`",
                "balancer",
            ) from None
        return answer.decode("utf-8", "replace").strip()

    def worker(self) -> int:
        """Return the PID of the process that answers; it changes with every reload."""
        lines = self.ask("show info").splitlines()
        return int(next(line for line in lines if line.startswith("Pid:")).split(":")[1])

    def hosts(self) -> list[AppHost]:
        """Return the app hosts in the order of HAProxy's configuration."""
        lines = io.StringIO(self.ask("show stat").removeprefix("# "))
        rows = [row for row in csv.DictReader(lines) if row.get("pxname") == BACKEND]
        return [_host(row) for row in rows if row["svname"] not in ("FRONTEND", "BACKEND")]

    def host(self, name: str) -> AppHost:
        """Return an app host; ToxctlError, kind `balancer`, if HAProxy does not know it."""
        hosts = self.hosts()
        for one in hosts:
            if one.name == name:
                return one
        known = ", ".join(one.name for one in hosts) or "none"
        raise ToxctlError(
            f"the balancer does not know app host {name} (it has: {known}): run "
            "`ansible-playbook site.yml --limit balancer`",
            "balancer",
        )

    def set_state(self, name: str, state: str) -> None:
        """Set an app host to `ready` or `drain`; ToxctlError if HAProxy refuses."""
        answer = self.ask(f"set server {BACKEND}/{name} state {state}")
        if answer:
            raise ToxctlError(f"HAProxy refuses to set {name} to {state}: {answer}", "balancer")


def _host(row: dict[str, str]) -> AppHost:
    check = "/".join(row[key] for key in ("check_status", "check_code") if row.get(key))
    return AppHost(row["svname"], row["status"], check, int(row["scur"] or 0))


def report(haproxy: Haproxy) -> dict[str, Any]:
    """Return the app hosts for `toxctl balancer status`."""
    return {"hosts": [one.answer() for one in haproxy.hosts()]}


def hold_out(haproxy: Haproxy, name: str) -> dict[str, Any]:
    """Keep an app host out of service until standard input ends, then put it back.

    So it comes back also if the laptop is gone. It stays in if no other host serves.

    Returns what `put_back` does, with `taken_out`.
    Raises ToxctlError: it was put back, and its health check fails.
    """
    signals.ignore_hangup()
    signals.raise_on_ending()
    haproxy.host(name)
    if not any(one.serves for one in haproxy.hosts() if one.name != name):
        events.say(f"{name} stays in the balancer: no other app host serves")
        _wait_for_end({"taken_out": False})
        return {**haproxy.host(name).answer(), "taken_out": False}
    try:
        haproxy.set_state(name, "drain")
        left = _drained(haproxy, name)
        if left:
            events.say(f"{name} still answers {left} requests, which goes on")
        _wait_for_end({"taken_out": True})
    finally:
        signals.ignore_ending()
        found = put_back(haproxy, name)
    return {**found, "taken_out": True}


def put_back(haproxy: Haproxy, name: str) -> dict[str, Any]:
    """Give an app host requests again once its health check passes.

    Returns the host. Raises ToxctlError: the check did not pass in time; HAProxy goes on checking.
    """
    haproxy.host(name)
    haproxy.set_state(name, "ready")
    limit = time.monotonic() + READY_SECONDS
    while not (host := haproxy.host(name)).serves:
        if time.monotonic() > limit:
            raise ToxctlError(
                f"{name} does not pass the balancer's health check ({host.status}, last "
                f"{host.check or 'none'}): it gets requests as soon as it does; see `fab doctor "
                f"--limit {name}`",
                "balancer",
            )
        time.sleep(POLL_SECONDS)
    return host.answer()


def _drained(haproxy: Haproxy, name: str) -> int:
    """Wait until no request runs on the host; return how many still do at the end."""
    limit = time.monotonic() + DRAIN_SECONDS
    while (running := haproxy.host(name).sessions) and time.monotonic() < limit:
        time.sleep(POLL_SECONDS)
    return running


def _wait_for_end(state: dict[str, bool]) -> None:
    """Tell the laptop that it may begin, and wait until it closes standard input or is gone."""
    with suppress(Interrupted):
        events.result(state, "close standard input (Ctrl-D) to put it back")
        stdin = sys.stdin.fileno()
        # Not a read alone: a signal that came right before it would wait until the input ends.
        while not select.select([stdin], [], [], LOOK_SECONDS)[0] or os.read(stdin, 1 << 16):
            pass
