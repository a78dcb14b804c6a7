"""`toxctl backup`: its options, and the modules that do the work."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from toxctl import (
    backup,
    backup_config,
    backup_drill,
    backup_repository,
    backup_restore,
    events,
    text_of_backups,
)
from toxctl.config import Config

__all__ = ["add_options", "backup_verb"]

Options = argparse.Namespace
Answer = tuple[dict[str, Any], str]


def add_options(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Add the verb `backup` to the command line."""
    verb = add("backup", "back this server up, list backups, restore one, prove that one restores")
    what = verb.add_subparsers(dest="what", required=True, metavar="WHAT")

    def below(name: str, words: str) -> argparse.ArgumentParser:
        return what.add_parser(name, help=words, description=words, allow_abbrev=False)

    init = below("init", "open the repository with the password, or make it")
    init.add_argument(
        "--password-stdin",
        action="store_true",
        help="with the password that comes in on stdin, which the server keeps if it is right",
    )
    below("start", "back this server up in its unit, with its limits, and wait for it")
    below("run", "back this server up (the unit calls this)")
    settings = below("settings", "check backup.json and say where backups go")
    settings.add_argument("path", metavar="PATH")
    listed = below("list", "list the complete backups, the newest first")
    restore = below("restore", "restore everything but what is live")
    drill = below("drill", "restore a backup beside what is live, compare it, remove it again")
    for one in (restore, drill):
        one.add_argument(
            "--snapshot", metavar="ID", help="of `toxctl backup list` (default: newest)"
        )
    for one in (listed, restore):
        one.add_argument("--of", metavar="NAME", help="another server's backups (its backup_name)")


def backup_verb(config: Config, options: Options) -> Answer:
    """Run `toxctl backup`."""
    if options.what == "settings":
        checked = backup_config.load(options.path)
        where = checked.repository if checked else "nowhere: backups are off"
        return {"repository": where}, f"backups go to {where}"
    settings = backup_config.require(config)
    match options.what:
        case "init":
            password = sys.stdin.read().rstrip("\n") if options.password_stdin else None
            found = backup_repository.initialize(config, settings, password)
            return found, text_of_backups.initialized(found)
        case "start":
            events.say("the backup runs; it goes on if this connection is lost")
            found = backup.start(config)
            return found, text_of_backups.done(found)
        case "run":
            found = backup.run(config, settings)
            return found, text_of_backups.done(found)
        case "restore":
            found = backup_restore.fetch(config, settings, options.snapshot, options.of)
            return found, text_of_backups.restored(found)
        case "drill":
            found = backup_drill.drill(config, settings, options.snapshot)
            return found, text_of_backups.drilled(found)
    name = options.of or settings.name
    backups = backup_repository.repository_of(config, settings).snapshots(name)
    found = {
        "name": name,
        "repository": settings.repository,
        "backups": [one.answer() for one in backups],
    }
    return found, text_of_backups.listed(found)
