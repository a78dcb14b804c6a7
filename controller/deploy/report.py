"""What the tasks show that only look: status, releases, journal, the live model's answers."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from controller.deploy import commands, predict
from controller.deploy.dry_run import would_ask
from controller.deploy.errors import DeployError
from controller.deploy.gate import release_words
from controller.deploy.progress import megabytes
from controller.deploy.servers import Server
from controller.deploy.session import holder_words, is_silent
from controller.deploy.there import slot_report
from controller.deploy.tools import releasectl
from controller.deploy.transfer import free_bytes, must
from tox_com_det.model.manifest import Manifest, ManifestError

__all__ = ["check_model", "logs", "memory_words", "releases", "status"]

LAST = 5  # deploys that status shows


def live_manifest(server: Server) -> Manifest:
    """Return the manifest of the model that is live; DeployError when none is."""
    report = slot_report(server)
    if not report["live"]:
        raise DeployError(f"no model is live on {server.name}: type `fab deploy-model`")
    path = posixpath.join(str(report["slots"][report["live"]]["model"]), "manifest.json")
    done = must(server.remote, server.remote.run(commands.read_file(path)), f"read {path}")
    try:
        return Manifest.from_dict(json.loads(done.stdout))
    except (ManifestError, ValueError) as error:
        raise DeployError(f"{server.name}:{path} is not usable: {error}") from None


def check_model(server: Server, texts: Sequence[str], dry_run: bool = False) -> None:
    """Ask the live model's known answers over public HTTP, then show the scores of the texts."""
    if dry_run:
        would_ask(server, "test-model", commands.slotctl(server.config, "status", "--json"))
        server.say(f"POST {server.url}/predict: the known answers, then {len(texts)} comments")
        return
    manifest = live_manifest(server)
    known = manifest.golden_outputs
    worst = predict.ask_known(server.url, known, manifest.labels, manifest.model_version)
    server.say(
        f"model {manifest.model_version} ({manifest.name}) at {server.url}: "
        f"{len(known.cases)} known answers come out, largest difference {worst:.1e}"
    )
    predict.show([(text, predict.ask(server.url, text).scores) for text in texts])


def status(server: Server, dry_run: bool = False) -> bool:
    """Print what is live, what is there and how it does; return whether the service answers."""
    tool = server.config.releasectl
    asked = ([*tool, "releases"], [*tool, "history", "-n", str(LAST)], [*tool, "lock"])
    slots = commands.slotctl(server.config, "status")
    if dry_run:
        would_ask(server, "status", slots, *asked)
        server.say(f"POST {server.url}/predict: one comment")
        return True
    server.say(f"{server.url}, user {server.remote.host.user}")
    calls = [releasectl(server, *words[len(tool) :]) for words in asked]  # at the same time
    with server.remote.start(slots) as process:
        done = must(server.remote, process.wait(), "ask its slots")
    print(done.stdout.rstrip())
    found, history, lock = (call.answer() for call in calls)
    print("\n".join(there_lines(found)))
    done = must(server.remote, server.remote.run(commands.memory()), "ask for memory")
    print(f"memory: {memory_words(done.stdout)}")
    done = must(server.remote, server.remote.run(commands.free_kib(server.config.models_dir)), "df")
    print(f"disk: {megabytes(free_bytes(done.stdout))} free below {server.config.models_dir}")
    print(f"lock: {lock_words(lock['holder'])}")
    print("\n".join(history_lines(history["attempts"])))
    try:
        answer = predict.ask(server.url, predict.EXAMPLES[0])
    except DeployError as error:
        print(f"service: {error}")
        return False
    print(f"service: answers with model {answer.model}")
    return True


def there_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is confirmed, what was before, and how much is there."""
    confirmed = found["confirmed"]
    since = f" since {when(confirmed['at'])}" if confirmed else ""
    yield f"confirmed: {release_words(confirmed)}{since}"
    previous = (confirmed or {}).get("previous")
    if previous:
        yield f"previous: {release_words(previous)} (fab rollback)"
    size = sum(entry["bytes"] for entry in [*found["models"], *found["apps"]])
    uploads = found["uploads"]
    yield (
        f"there: {count(len(found['models']), 'model')}, {count(len(found['apps']), 'app')}, "
        f"{megabytes(size)} (fab releases); {count(uploads['files'], 'upload')}, "
        f"{megabytes(uploads['bytes'])}"
    )


def count(number: int, what: str) -> str:
    """Return a number of things."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def when(iso: Any) -> str:
    """Return an ISO time as a day and a minute, UTC."""
    return str(iso)[:16].replace("T", " ") + " UTC"


def lock_words(holder: Mapping[str, Any] | None) -> str:
    """Return who holds the lock."""
    if not holder:
        return "free"
    gone = ", its laptop is probably gone: fab unlock" if is_silent(holder) else ""
    return f"held by {holder_words(holder)}{gone}"


def history_lines(attempts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the last attempts, the newest first."""
    yield "last deploys:" if attempts else "last deploys: none"
    rows = []
    for attempt in attempts:
        to = attempt.get("to") or {}
        names = [posixpath.basename(str(to[key])) for key in ("model", "app") if to.get(key)]
        seconds = attempt.get("seconds")
        result = str(attempt.get("result"))
        if result not in ("done", "nothing") and attempt.get("phase"):
            result += f" in {attempt['phase']}"
        rows.append(
            [
                when(attempt.get("begin")),
                str(attempt.get("task")),
                str(attempt.get("who")),
                result,
                f"{seconds:.1f} s" if isinstance(seconds, int | float) else "",
                " with ".join(names),
            ]
        )
    yield from table(rows)


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the rows with their columns below each other."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells)}".rstrip()


def releases(server: Server, dry_run: bool = False) -> None:
    """Print every release on the server, the newest first."""
    if dry_run:
        would_ask(server, "releases", [*server.config.releasectl, "releases"])
        return
    found = releasectl(server, "releases").answer()
    entries = [*found["models"], *found["apps"]]
    server.say(f"{count(len(entries), 'release')}, {megabytes(found['free_bytes'])} free")
    rows = [["KIND", "NAME", "INSTALLED", "SIZE", "STATE", "WORD VECTORS"]]
    for entry in entries:
        rows.append(
            [
                entry["kind"],
                entry["name"],
                when(entry["installed"]),
                megabytes(entry["bytes"]),
                state(entry),
                str(entry.get("collection") or ""),
            ]
        )
    print("\n".join(table(rows)))


def state(entry: Mapping[str, Any]) -> str:
    """Return what a release is now, in words."""
    words = [name for name in ("live", "previous", "running") if entry[name]]
    if "live" in words and "running" in words:
        words.remove("running")
    return ", ".join(words if entry["complete"] else [*words, "not complete"]) or "kept"


def memory_words(output: str) -> str:
    """Return what `commands.memory` printed as words; a container's limit is what counts."""
    limits, _, meminfo = output.partition("--\n")
    fields = dict(re.findall(r"^(\w+):\s+(\d+) kB$", meminfo, re.MULTILINE))
    total, free = (int(fields[name]) * 1024 for name in ("MemTotal", "MemAvailable"))
    words = f"{megabytes(free)} available of {megabytes(total)}"
    limit, _, used = limits.strip().partition(" ")
    if limit.isdigit() and used.isdigit() and int(limit) < total:
        return f"{megabytes(int(used))} used (with files cached) of {megabytes(int(limit))}"
    return words


def logs(server: Server, lines: int, follow: bool, dry_run: bool = False) -> None:
    """Print the journal of the slots."""
    words = commands.logs(server.config, lines, follow)
    if dry_run:
        would_ask(server, "logs", words)
        return
    must(server.remote, server.remote.run_as(words, stream=True), "read its journal")
