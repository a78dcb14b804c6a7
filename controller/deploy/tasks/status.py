"""`fab status`: what is live, what is installed, health, resources, lock and audit log."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from controller.deploy import commands, predict
from controller.deploy.balancer import Balancer
from controller.deploy.dry_run import would_ask
from controller.deploy.errors import DeferredError, DeployError
from controller.deploy.releases import describe
from controller.deploy.remote_toxctl import ToxctlError
from controller.deploy.server import Server
from controller.deploy.session import describe_holder, is_silent
from controller.deploy.typed import completed
from controller.progress import megabytes, table

__all__ = ["balancer_status", "count", "status", "utc"]

LAST = 5  # attempts that are shown
SILENT = "nothing serves: "  # how toxctl's warning begins
HISTORY = ("history", "-n", str(LAST))


def status(server: Server, verify: bool = False, *, dry_run: bool = False) -> None:
    """Print it all.

    Args:
        server: the server.
        verify: compare the files of all releases with what was recorded of them.
        dry_run: only name what would be asked.

    Raises DeferredError: the service does not answer; a release is damaged.
    """
    words = ("status", *["--verify"] * verify)
    if dry_run:
        would_ask(server, "status", commands.toxctl(*words), commands.toxctl(*HISTORY))
        server.say(f"POST {server.url}/predict: one comment")
        return
    server.say(f"{server.url}, user {server.remote.host.user}")
    asked, history = server.toxctl(*words), server.toxctl(*HISTORY)  # both run at the same time
    damage = ""
    try:
        report = asked.result()
    except ToxctlError as error:
        if "report" not in error.answer:
            raise
        report, damage = error.answer["report"], str(error)
    print(completed("\n".join(status_lines(report))))
    print("\n".join(history_lines(history.result()["attempts"])))
    try:
        answer = predict.ask(server.url, predict.EXAMPLES[0], server.pin)
    except predict.KeyRefused:
        how = completed("`fab test-model --key-file FILE`")
        print(f"service: answers, and requires a key ({how})")
    except DeployError as error:
        print(completed(f"service: {error}"))
        raise DeferredError(f"{server.name} does not serve: {why_silent(report)}") from None
    else:
        print(f"service: answers with model {answer.model}")
    if damage:
        raise DeferredError(f"{server.name}: {damage}")


def balancer_status(balancer: Balancer) -> None:
    """Print the app hosts of a cluster as a balancer sees them."""
    balancer.say("app hosts:")
    print(table([balancer_row(host) for host in balancer.hosts()]))
    try:
        certificate = balancer.certificate()
    except ToxctlError as error:
        if error.kind != "config":
            raise
        balancer.say(f"certificate: none, {error}")
        return
    balancer.say(certificate_line(certificate))
    if certificate["problem"]:
        balancer.say(f"warning: {certificate['problem']}")


def balancer_row(host: Mapping[str, Any]) -> list[str]:
    """Return an app host of a balancer as cells."""
    state = {"DRAIN": "held out", "MAINT": "out for maintenance"}.get(host["status"])
    state = state or ("gets requests" if host["serves"] else f"gets none ({host['status']})")
    return [host["name"], state, f"check {host['check'] or 'none yet'}"]


def why_silent(report: Mapping[str, Any]) -> str:
    """Return why a service does not answer, with the next command."""
    warnings = [one for one in report.get("warnings", []) if one.startswith(SILENT)]
    return warnings[0].removeprefix(SILENT) if warnings else "see `fab logs`"


def status_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield toxctl's status as text."""
    yield f"toxctl: {report['version']}"
    yield f"live: {report['live'] or 'nothing yet, run `fab deploy-model`'}"
    if report["activation"]:
        yield "activation: running by {who}, pid {pid}, since {since}".format(
            **report["activation"]
        )
    elif report["unfinished"]:
        slot = report["confirmed"]["slot"]
        yield f"activation: interrupted; the next deploy returns to slot {slot}, confirmed last"
    for slot, entry in report["slots"].items():
        yield slot_line(slot, entry, live=slot == report["live"])
    yield from release_lines(report)
    if report.get("certificate"):
        yield certificate_line(report["certificate"])
    if report.get("backup"):
        yield backup_line(report["backup"])
    yield f"memory: {memory_text(report['memory'])}"
    yield f"disk: {megabytes(report['free_bytes'])} free"
    yield f"lock: {lock_text(report['lock'])}"
    for entry in report.get("verified", []):
        yield verified_line(entry)
    for warning in report.get("warnings", []):
        yield f"warning: {warning}"


def verified_line(entry: Mapping[str, Any]) -> str:
    """Return how a release's files compare with what was recorded of them."""
    state = "no hashes recorded" if entry["state"] == "unrecorded" else entry["state"]
    problems = f" ({', '.join(entry['problems'][:10])})" if entry["problems"] else ""
    return f"verified: {entry['kind']} {entry['name']}: {state}{problems}"


def certificate_line(certificate: Mapping[str, Any]) -> str:
    """Return what is served over TLS, its end and the share of its life that is left."""
    if not certificate["name"]:
        return "certificate: none"
    names = ", ".join(certificate["names"]) or "no name"
    left = f"{max(certificate['left'], 0):.0%} of its life is left"
    return (
        f"certificate: {certificate['source']}, for {names}, "
        f"until {utc(certificate['not_after'])}, {left}"
    )


def backup_line(found: Mapping[str, Any]) -> str:
    """Return when the last backup was made, and when one was last restored in a drill."""
    last, drill = found["last"], found["drill"]
    words = [f"last {utc(last['at'])} to {found['repository']}" if last else "none yet"]
    words += [f"restore drill {utc(drill['done'])} in {drill['seconds']:.1f} s"] if drill else []
    words += ["the last run FAILED"] if found["failed"] else []
    return f"backup: {', '.join(words)}"


def slot_line(slot: str, entry: Mapping[str, Any], live: bool) -> str:
    """Return the state of a slot."""
    words = [
        f"{'*' if live else ' '} {slot:<6} {entry['active']}/{entry['sub']}",
        "enabled" if entry["enabled"] else "disabled",
        f"model {posixpath.basename(entry['model'] or '-')}",
        f"app {posixpath.basename(entry['app'] or '-')}",
    ]
    if entry["memory_bytes"] is not None and entry["active"] == "active":
        words.append(megabytes(entry["memory_bytes"]))
    ready = entry.get("ready")
    if ready:
        good = ready["status"] == 200
        words.append("ready" if good else f"NOT READY: {json.dumps(ready['answer'])[:300]}")
    return ", ".join(words)


def release_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the confirmed and the previous release, and how much is installed."""
    confirmed = report["confirmed"]
    since = f" since {utc(confirmed['at'])}" if confirmed else ""
    yield f"confirmed: {describe(confirmed)}{since}"
    for entry in report["models"]:
        if entry["live"] and "normalization" in entry:  # toxctl of 0.1 says nothing of it
            most = entry["windows"]
            read = f"read in up to {most} windows" if most else "cut at the sequence length"
            yield f"texts: normalization {entry['normalization']}, {read}"
        if entry["live"] and entry.get("settings"):
            yield f"settings of the build: {entry['settings']}"
    previous = (confirmed or {}).get("previous")
    if previous:
        yield f"previous: {describe(previous)} (`fab rollback`)"
    models, apps, uploads = report["models"], report["apps"], report["uploads"]
    size = sum(entry["bytes"] for entry in [*models, *apps])
    yield (
        f"installed: {count(len(models), 'model')}, {count(len(apps), 'app')}, "
        f"{megabytes(size)} (`fab releases`); {count(uploads['files'], 'upload')}, "
        f"{megabytes(uploads['bytes'])}"
    )


def count(number: int, what: str) -> str:
    """Return a number of things."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def utc(iso: Any) -> str:
    """Return an ISO time as a day and a minute, UTC."""
    return str(iso)[:16].replace("T", " ") + " UTC"


def memory_text(memory: Mapping[str, Any]) -> str:
    """Return the memory that can be had, cached files included; a container's limit counts."""
    limit, total = memory["limit"], memory["total"]
    whole = total if limit is None else min(limit, total)
    return f"{megabytes(memory['available'])} available of {megabytes(whole)}"


def lock_text(holder: Mapping[str, Any] | None) -> str:
    """Return who holds the deploy lock."""
    if not holder:
        return "free"
    gone = ", its laptop is probably gone: run `fab unlock`" if is_silent(holder) else ""
    return f"held by {describe_holder(holder)}{gone}"


def history_lines(attempts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the last attempts, the newest first."""
    if not attempts:
        yield "last deploys: none"
        return
    yield "last deploys:"
    yield table([attempt_row(attempt) for attempt in attempts])


def attempt_row(attempt: Mapping[str, Any]) -> list[str]:
    """Return an entry of the audit log as cells."""
    to = attempt.get("to") or {}
    names = [posixpath.basename(str(to[key])) for key in ("model", "app") if to.get(key)]
    seconds, result = attempt.get("seconds"), str(attempt.get("result"))
    if result not in ("done", "nothing") and attempt.get("phase"):
        result += f" in {attempt['phase']}"
    return [
        utc(attempt.get("begin")),
        str(attempt.get("task")),
        str(attempt.get("who")),
        result,
        f"{seconds:.1f} s" if isinstance(seconds, int | float) else "",
        " with ".join(names),
    ]
