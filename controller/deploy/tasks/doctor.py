"""`fab doctor`: in one page what is wrong and what to type. Changes nothing."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from importlib.metadata import version
from typing import Any

from controller.deploy import commands, predict
from controller.deploy.diagnosis import Finding, diagnose, out_of_support
from controller.deploy.dry_run import would_ask
from controller.deploy.errors import DeferredError, DeployError
from controller.deploy.server import Server
from controller.deploy.tasks.status import count, why_silent

__all__ = ["doctor", "laptop_findings"]

WORDS = ("status", "--health")


def doctor(server: Server, as_json: bool = False, *, dry_run: bool = False) -> None:
    """Print what is wrong with a server and with this computer.

    Args:
        server: the server.
        as_json: print one line, a JSON object: `server`, and `findings` with `check`, `what`, `do`.
        dry_run: only name what would be asked.

    Raises DeferredError: something is wrong.
    """
    if dry_run:
        would_ask(server, "doctor", commands.toxctl(*WORDS))
        server.say(f"POST {server.url}/predict: one comment")
        return
    today = datetime.now(UTC).date()
    found = [*server_findings(server, today), *laptop_findings(today)]
    if as_json:
        listed = [one._asdict() for one in found]
        print(json.dumps({"server": server.name, "findings": listed}), flush=True)
    else:
        print("\n".join(page(server.name, found)), flush=True)
    if found:
        raise DeferredError(f"{server.name}: {count(len(found), 'finding')}, see above")


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


def page(name: str, found: list[Finding]) -> Iterator[str]:
    """Yield the page: a line what is wrong and a line what to type, for each finding."""
    yield f"{name}: {count(len(found), 'finding') if found else 'all is well'}"
    for one in found:
        yield f"  {one.check}: {one.what}"
        yield f"    type: {one.do}"
