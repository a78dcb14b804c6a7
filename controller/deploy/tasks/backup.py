"""`fab backup`, `backups`, `restore` and `restore-drill`: the server's backups, made by restic.

The repository's password stays on the server; the laptop sends verbs and reads answers.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from controller.deploy import commands, gate
from controller.deploy.attempt import attempt
from controller.deploy.dry_run import would_ask
from controller.deploy.errors import DeployError
from controller.deploy.next_steps import ENVIRONMENT
from controller.deploy.remote_toxctl import ToxctlError
from controller.deploy.server import Server
from controller.deploy.tasks.status import count, utc
from controller.progress import megabytes, table

__all__ = ["backup", "backups", "drill", "restore"]

START = ("backup", "start")
HEADER = ("ID", "MADE")
TASK = "restore"
AFTERMATH = {
    "upload": "the server reads the backup to its end and switches nothing",
}
NEXT_STEPS = {
    **ENVIRONMENT,
    "": "the server keeps what was restored, `fab backups` lists other backups",
}


def backup(server: Server, *, dry_run: bool = False) -> None:
    """Back the server up now; it goes on there if the connection is lost.

    Raises DeployError: no backup, for the reason in the message; older ones are as they were.
    """
    if dry_run:
        would_ask(server, "backup", commands.toxctl(*START))
        return
    found = server.toxctl(*START).result()
    server.say(
        f"backup {found['snapshot']}: {count(found['documents'], 'document')}, "
        f"{megabytes(found['bytes'])}, {megabytes(found['added_bytes'])} of them new, in "
        f"{found['seconds']:.1f} s"
    )


def backups(server: Server, of: str | None = None, *, dry_run: bool = False) -> None:
    """List the complete backups, the newest first; `of`: another server's name."""
    words = ("backup", "list", *_of(of))
    if dry_run:
        would_ask(server, "backups", commands.toxctl(*words))
        return
    found = server.toxctl(*words).result()
    server.say(
        f"{count(len(found['backups']), 'backup')} of {found['name']} in {found['repository']}"
    )
    if found["backups"]:
        print(table([[one["id"], utc(one["at"])] for one in found["backups"]], HEADER))


def drill(server: Server, snapshot: str | None = None, *, dry_run: bool = False) -> None:
    """Prove that a backup can be restored, beside what is live, and print how long it took.

    Raises DeployError: it cannot, for the reason in the message.
    """
    words = ("backup", "drill", *_snapshot(snapshot))
    if dry_run:
        would_ask(server, "restore-drill", commands.toxctl(*words))
        return
    found = server.toxctl(*words).result()
    golden = found["golden_outputs"]
    asked = f"{golden} golden outputs match" if golden else "no model was live, so none was asked"
    server.say(
        f"backup {found['snapshot']} of {utc(found['at'])} can be restored: "
        f"{count(found['documents'], 'document')} in {count(found['collections'], 'collection')} "
        f"and {count(found['models'], 'model')} are equal, {asked}, in {found['seconds']:.1f} s"
    )


def restore(
    server: Server, snapshot: str | None = None, of: str | None = None, *, dry_run: bool = False
) -> bool:
    """Restore a backup and switch to its model through the gate; return whether that changed.

    Args:
        server: one that site.yml has provisioned.
        snapshot: of `fab backups`; None for the newest.
        of: the name of the server that the backup is of; None for this one.
        dry_run: only name what would be asked.

    Raises DeployError: what was live stays live; the next run goes on.
    """
    words = ("backup", "restore", *_snapshot(snapshot), *_of(of))
    if dry_run:
        would_ask(server, TASK, commands.toxctl(*words))
        return False
    with attempt(server, TASK, snapshot or "", AFTERMATH) as now:
        now.enter("upload")
        found = server.toxctl(*words).result()
        report(server, found)
        model = found["model"]
        if model is None:
            server.say("no model was live when it was made, so none is switched to")
            return False
        name = posixpath.basename(model)
        now.note(**{"from": gate.app_and_model(server.status["confirmed"])}, to={"model": model})
        try:
            gate.verify(now, model)
        except ToxctlError as error:
            left = gate.stays_live(server.status["confirmed"])
            raise gate.refusal(name, server, error, left, NEXT_STEPS) from None
        now.enter("activate")
        return gate.switch(now, name, model)


def report(server: Server, found: Mapping[str, Any]) -> None:
    """Print what was restored."""
    server.say(
        f"backup {found['snapshot']} of {utc(found['at'])}: "
        f"{count(len(found['models']), 'model')}, "
        f"{count(len(found['collections']), 'collection')} of word vectors, "
        f"{count(found['suggestions'], 'suggestion')}, {count(found['keys'], 'key')}"
    )


def _snapshot(given: str | None) -> list[str]:
    """Return the option for a backup; DeployError if that is no identifier."""
    if given is None:
        return []
    if not given.isalnum():
        raise DeployError(f"--snapshot is {given[:40]!r}, no identifier: see `fab backups`")
    return ["--snapshot", given]


def _of(name: str | None) -> list[str]:
    # One word: a name that begins with a dash would be an option of toxctl.
    return [] if name is None else [f"--of={name}"]
