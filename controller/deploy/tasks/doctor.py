"""`fab doctor`: in one page what is wrong and what to type. Changes nothing."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from importlib.metadata import version
from typing import Any

from controller.deploy import commands, predict
from controller.deploy.balancer import BALANCER_STATUS, CERTIFICATE_STATUS, Balancer, Machine
from controller.deploy.diagnosis import (
    Finding,
    advised,
    diagnose,
    diagnose_machine,
    out_of_support,
)
from controller.deploy.dry_run import would_ask
from controller.deploy.errors import DeferredError, DeployError
from controller.deploy.remote_toxctl import ToxctlError
from controller.deploy.server import Server
from controller.deploy.tasks.status import count, why_silent
from controller.deploy.typed import completed

__all__ = ["doctor", "laptop_findings"]

WORDS = ("status", "--health")
MACHINE_WORDS: tuple[str, ...] = ("health",)


def doctor(server: Server | Machine, as_json: bool = False, *, dry_run: bool = False) -> None:
    """Print what is wrong with a server and with this computer.

    Args:
        server: the server, or a host of a cluster that has no service.
        as_json: print one line, a JSON object: `server`, and `findings` with `check`, `what`, `do`.
        dry_run: only name what would be asked.

    Raises DeferredError: something is wrong.
    """
    if dry_run:
        would_diagnose(server)
        return
    today = datetime.now(UTC).date()
    if isinstance(server, Server):
        found = [*server_findings(server, today), *laptop_findings(today)]
    else:
        found = list(machine_findings(server, today))
    if isinstance(server, Balancer):
        found = [*balancer_findings(server), *found]
    show(server.name, found, as_json)


def would_diagnose(server: Server | Machine) -> None:
    """Print what would be asked."""
    if isinstance(server, Server):
        would_ask(server, "doctor", commands.toxctl(*WORDS))
        server.say(f"POST {server.url}/predict: one comment")
        return
    words = [MACHINE_WORDS]
    words += [BALANCER_STATUS, CERTIFICATE_STATUS] * isinstance(server, Balancer)
    would_ask(server, "doctor", *(commands.toxctl(*one) for one in words))


def show(name: str, found: Sequence[Finding], as_json: bool) -> None:
    """Print what is wrong with a host; DeferredError if something is."""
    found = [Finding(one.check, completed(one.what), completed(one.do)) for one in found]
    if as_json:
        listed = [one._asdict() for one in found]
        print(json.dumps({"server": name, "findings": listed}), flush=True)
    else:
        print("\n".join(page(name, found)), flush=True)
    if found:
        raise DeferredError(f"{name}: {count(len(found), 'finding')}, see above")


def machine_findings(machine: Machine, today: date) -> Iterator[Finding]:
    """Yield what is wrong with a machine; DeployError if it cannot be asked."""
    before = time.time()
    report = machine.toxctl(*MACHINE_WORDS).result()
    now = min(max(report["health"]["time"], before), time.time())  # as for a server
    yield from diagnose_machine(report, now, today, machine.remote.host.firewall)


def balancer_findings(balancer: Balancer) -> Iterator[Finding]:
    """Yield app hosts without requests, and what is wrong with the certificate."""
    try:
        hosts = balancer.hosts()
    except ToxctlError as error:
        yield Finding("balancer", *advised(str(error), "`fab status`"))
        hosts = []
    for host in hosts:
        name, status = host["name"], host["status"]
        if status in ("DRAIN", "MAINT"):
            what = f"{name} is held out, which a deploy does while it switches"
            yield Finding("balancer", what, f"`sudo toxctl balancer ready {name}` if none runs")
        elif not host["serves"]:
            what = f"{name} gets no requests ({status}, check {host['check'] or 'none yet'})"
            yield Finding("balancer", what, f"`fab doctor --limit {name}`")
    try:
        problem = balancer.certificate()["problem"]
    except ToxctlError as error:
        if error.kind != "config":  # plain HTTP
            raise
    else:
        if problem:
            yield Finding("certificate", *advised(problem, "`fab renew-certificate`"))


def server_findings(server: Server, today: date) -> Iterator[Finding]:
    """Yield what is wrong with a server; DeployError if it cannot be asked."""
    before = time.time()
    report = server.toxctl(*WORDS).result()
    # The server read its clock last, before the answer came.
    now = min(max(report["health"]["time"], before), time.time())
    yield from diagnose(report, now, today, server.remote.host.firewall)
    if report["live"] is not None:
        yield from answer_findings(server, report)


def answer_findings(server: Server, report: dict[str, Any]) -> Iterator[Finding]:
    """Yield that the service gives no answer to this computer."""
    try:
        predict.ask(server.url, predict.EXAMPLES[0], server.pin)
    except predict.KeyRefused:
        return  # it answers
    except DeployError as error:
        yield Finding("service", f"{server.url} does not serve: {error}", why_silent(report))


def laptop_findings(today: date) -> Iterator[Finding]:
    """Yield what is out of support on this computer."""
    where = "on this computer"
    yield from out_of_support("Python", platform.python_version(), today, where)
    yield from out_of_support("ansible-core", version("ansible-core"), today, where)


def page(name: str, found: Sequence[Finding]) -> Iterator[str]:
    """Yield the page: a line what is wrong and a line what to type, for each finding."""
    yield f"{name}: {count(len(found), 'finding') if found else 'all is well'}"
    for one in found:
        yield f"  {one.check}: {one.what}"
        yield f"    type: {one.do}"
