"""`toxctl restore`: restores a dump of word vectors with the app's own module.

It runs as the service's user, with the app that app_link names: the one that is about to read the
vectors.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from typing import Any

from toxctl import events, programs, signals, usable
from toxctl.config import Config
from toxctl.errors import ToxctlError
from toxctl.manifest import path_of

__all__ = ["check", "restore"]

USAGE = 2  # exit code of an app for an option that it does not have
CHECK_SECONDS = 300.0
# What the app prints once a second, such as `restoring  42 %  168000 of 400000 words  6.1 MB/s`.
PROGRESS = re.compile(r"(\w+) +\d+ % +(\d+) of (\d+) words\b")


def check(config: Config, manifest: Any) -> dict[str, Any]:
    """Return whether the collection of a manifest is in the database and verified.

    Args:
        manifest: the content of the manifest.

    Returns:
        {"restored", "problem", "kind"}; `problem` is "" and `kind` None if it is.
    """
    # The service's user reads it, and it holds nothing secret.
    with tempfile.NamedTemporaryFile("w", prefix="tox_com_det-", suffix=".json") as file:
        json.dump(manifest, file)
        file.flush()
        os.fchmod(file.fileno(), 0o644)
        app = _app(config)
        command = programs.module(config, app, "restore", "--manifest", file.name, "--check-only")
        done = programs.run(command, CHECK_SECONDS, programs.service_environment(config, app))
    if done.returncode == 0:
        return {"restored": True, "problem": "", "kind": None}
    problem = programs.last_line(done).removeprefix("restore: ")
    return {"restored": False, "problem": problem, "kind": _kind(problem)}


def restore(config: Config, collection: str, verify: bool = False) -> dict[str, Any]:
    """Restore the uploaded dump of a collection, verify it, and mark it as restored.

    Its lines are passed on as they come. It ends early if nothing reads them any more: a restore
    that was cut off does not count, the next one starts again.

    Args:
        collection: its name.
        verify: compare every word also of a restored collection, and repair what differs.

    Raises:
        ToxctlError: kinds `database`, `collection`, `disk` and `other`.
    """
    dump = os.path.join(config.dumps_dir, collection)
    manifest = path_of(dump)
    if os.path.basename(collection) != collection or not os.path.isfile(manifest):
        raise ToxctlError(f"{manifest} is missing: run `fab restore-embeddings`")
    signals.raise_on_ending()
    app = _app(config)
    words = ("--manifest", manifest, "--dump", dump, *["--verify"] * verify)
    command = programs.module(config, app, "restore", *words)
    environment = programs.service_environment(config, app)
    with tempfile.TemporaryFile("w+", errors="replace") as complaints:
        code = programs.stream(command, environment, complaints, _pass_on)
        complaints.seek(0)
        complaint = complaints.read().strip()
    if code == USAGE and verify:
        raise ToxctlError(f"{app} is too old for --verify: run `fab deploy-app`")
    if code:
        problem = (complaint.splitlines() or [f"exit code {code}"])[-1].removeprefix("restore: ")
        raise ToxctlError(problem, _kind(problem), complaint[-4000:])
    return {"restored": True}


def _app(config: Config) -> str:
    """Return the app whose module is run."""
    app = os.path.realpath(config.app_link)
    usable.require_complete(config, "app", app)
    return app


def _pass_on(line: str) -> None:
    match = PROGRESS.match(line)
    if match:
        events.progress(match[1], int(match[2]), int(match[3]), line)
    else:
        events.say(line)


def _kind(problem: str) -> str:
    """Return the kind of a problem; the app states it in words only."""
    if problem.startswith("MongoDB at"):
        return "database"
    if "disk has" in problem:
        return "disk"
    if "build-model" in problem:  # the dump itself is damaged
        return "other"
    is_collection = any(
        words in problem for words in ("restore-embeddings", "the manifest says", "read back")
    )
    return "collection" if is_collection else "other"
