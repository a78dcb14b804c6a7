"""`fab export-suggestions` and `clear-suggestions`: scores that clients suggested, for training."""

from __future__ import annotations

import csv
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from controller.deploy import commands
from controller.deploy.dry_run import would_ask
from controller.deploy.errors import DeployError
from controller.deploy.paths import absolute
from controller.deploy.server import Server
from controller.deploy.tasks.status import count
from controller.progress import megabytes

__all__ = ["Export", "clear_suggestions", "export_to"]

EXPORT = ("suggestions", "--export")
CLEAR = ("suggestions", "--clear")
WORD = "clear"


def export_to(out: str | None, force: bool) -> Export:
    """Return the task for a file; DeployError if none was named, or if it exists."""
    if not out:
        raise DeployError("name the file to write: `fab export-suggestions --out FILE`")
    return Export(absolute(out), force)


class Export:
    """Writes the suggestions of one server into a CSV file."""

    def __init__(self, path: Path, force: bool = False) -> None:
        """`force`: replace a file that exists. DeployError: it exists, or has no directory."""
        self.path = path
        self.force = force
        self._written_from = ""
        if not path.parent.is_dir():
            raise DeployError(f"{path.parent} is no directory: make it, or name another --out")
        if path.is_dir():
            raise DeployError(f"{path} is a directory: name a file with --out")
        self._check_free()

    def __call__(self, server: Server, *, dry_run: bool = False) -> bool:
        """Write the file, complete or not at all; return whether it was written."""
        if dry_run:
            would_ask(server, "export-suggestions", commands.toxctl(*EXPORT))
            return False
        if self._written_from:
            raise DeployError(
                f"{self.path} has the suggestions of {self._written_from}: export one server at a "
                "time, with --limit and a file of its own"
            )
        self._check_free()
        require_some(server)
        with self._replaced() as file:
            rows = csv.writer(file, lineterminator="\n")
            written = 0

            def write(cells: list[str]) -> None:
                nonlocal written
                rows.writerow(cells)
                written += 1

            expected = server.toxctl(*EXPORT).result(on_row=write)["rows"]
            if written != expected + 1:  # with the header
                raise DeployError(
                    f"{server.name} sent {max(written - 1, 0)} of {expected} suggestions, nothing "
                    "was written: rerun `fab export-suggestions`"
                )
        self._written_from = server.name
        server.say(f"{count(expected, 'suggestion')} written to {self.path}")
        return True

    def _check_free(self) -> None:
        if self.path.exists() and not self.force:
            raise DeployError(f"{self.path} exists: name another --out, or replace it with --force")

    @contextmanager
    def _replaced(self) -> Iterator[IO[str]]:
        """Yield a file beside the path that takes its place at the end, or is removed.

        Only its owner may read it: it holds comments.
        """
        descriptor, name = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
        try:
            with open(descriptor, "w", encoding="utf-8", newline="") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if self.force:
                os.replace(name, self.path)
                return
            try:
                os.link(name, self.path)  # unlike a rename, this replaces nothing
            except OSError:  # it exists by now, or the file system has no links
                self._check_free()
                os.replace(name, self.path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(name)


def require_some(server: Server) -> Mapping[str, Any]:
    """Return what is stored; DeployError if nothing is."""
    found = server.toxctl("suggestions").result()
    if found["stored"]:
        return found
    if found["on"]:
        raise DeployError(f"{server.name}: no suggestion is stored yet, see `fab logs`")
    raise DeployError(
        f"{server.name}: suggestions are not stored: set flask_app_perspective_store_suggestions "
        "to true, then run `ansible-playbook site.yml --tags flask_app`"
    )


def clear_suggestions(server: Server, yes: bool = False, *, dry_run: bool = False) -> bool:
    """Remove all suggestions of a server, after a confirmation; return whether that was done."""
    if dry_run:
        would_ask(server, "clear-suggestions", commands.toxctl(*CLEAR))
        return False
    found = server.toxctl("suggestions").result()
    if not found["stored"]:
        server.say("no suggestion is stored, nothing to remove")
        return False
    what = f"{count(found['stored'], 'suggestion')} ({megabytes(found['bytes'])})"
    if not yes and not agreed(server, what):
        server.say("nothing was removed")
        return False
    done = server.toxctl(*CLEAR).result()
    server.say(f"{count(done['cleared'], 'suggestion')} removed")
    return True


def agreed(server: Server, what: str) -> bool:
    """Ask for a word on a terminal; DeployError without one."""
    if not sys.stdin.isatty():
        raise DeployError(
            f"nothing was removed on {server.name}: there is no terminal to confirm on, run "
            "`fab clear-suggestions --yes`"
        )
    words = f"{server.name}: type {WORD} to remove {what} for good: "
    return input(words).strip().lower() == WORD
