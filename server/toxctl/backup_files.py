"""A backup's files, read from the repository into a directory of this server."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
from collections.abc import Iterator
from typing import Any, NamedTuple

from toxctl import events, files, integrity
from toxctl.backup import CONTENTS
from toxctl.backup_config import BackupConfig
from toxctl.backup_repository import chosen, repository_of
from toxctl.backup_state import work_dir
from toxctl.config import Config
from toxctl.errors import ToxctlError
from toxctl.restic import Snapshot

__all__ = ["Files", "fetched", "lend"]

FORMAT = 1
RESERVE = 256 << 20  # bytes of the disk that stay free for the service


class Files(NamedTuple):
    """A backup as it was read.

    Attributes:
        top: the directory that holds it.
        contents: what `backup.run` wrote about it.
    """

    snapshot: Snapshot
    top: str
    contents: dict[str, Any]

    def below(self, key: str) -> str:
        """Return where a directory of the backup is: `models`, `dump` or `etc`."""
        return os.path.join(self.top, self.contents["paths"][key].lstrip("/"))

    @property
    def database(self) -> str:
        """The database's dump."""
        return os.path.join(self.below("dump"), "database")

    def models(self) -> list[str]:
        """Return the directories of its complete models, the live one first.

        Raises ToxctlError, kind `damaged`: a model was live, and is not among them.
        """
        live = self.contents["model"]
        found = [
            path for path in files.directories(self.below("models")) if integrity.completed(path)
        ]
        if live and live not in map(os.path.basename, found):
            raise ToxctlError(
                f"backup {self.snapshot.id[:8]} has not the whole model {live}, which was live: "
                "choose another one, `fab backups` lists them",
                "damaged",
            )
        return sorted(found, key=lambda path: os.path.basename(path) != live)


@contextlib.contextmanager
def fetched(
    config: Config, backup: BackupConfig, name: str, which: str | None, purpose: str
) -> Iterator[Files]:
    """Read a backup into a directory, which is removed at the end.

    Args:
        config: the server's.
        backup: its settings.
        name: of the server that the backup is of.
        which: beginning of its identifier; None for the newest.
        purpose: names the directory: one that a killed run has left is removed.

    Raises:
        ToxctlError: no such backup; kinds `disk` and `damaged`, and those of `Repository.run`.
    """
    repository = repository_of(config, backup)
    snapshot = chosen(repository, name, which)
    top = os.path.join(work_dir(config), purpose)
    _remove(top)
    size = int(
        repository.json("stats", "--no-lock", "--mode", "restore-size", snapshot.id)["total_size"]
    )
    # The files, and the word vectors once more in the database.
    needed, free = 2 * size + RESERVE, files.free_bytes(work_dir(config))
    if free < needed:
        raise ToxctlError(
            f"the disk has {files.megabytes(free)} free, this backup takes up to "
            f"{files.megabytes(needed)}: make room with `fab prune`, or take a larger disk",
            "disk",
        )
    events.say(f"reading backup {snapshot.id[:8]} of {snapshot.at}, {files.megabytes(size)}")
    os.mkdir(top, 0o711)
    try:
        repository.run("restore", "--no-lock", snapshot.id, "--target", top)
        yield Files(snapshot, top, _contents(top, snapshot))
    finally:
        _remove(top)


def _contents(top: str, snapshot: Snapshot) -> dict[str, Any]:
    """Return what the backup says of itself."""
    for directory, _, names in os.walk(top):
        if CONTENTS in names and os.path.basename(directory) == "dump":
            found = files.read_json(os.path.join(directory, CONTENTS))
            if isinstance(found, dict) and found.get("format") == FORMAT:
                return found
    raise ToxctlError(
        f"backup {snapshot.id[:8]} has no {CONTENTS} in format {FORMAT}: choose another one, "
        "`fab backups` lists them",
        "damaged",
    )


def lend(config: Config, backup: Files) -> None:
    """Let the service's user, as whom the app's modules run, read the dump: nobody else may."""
    if os.geteuid() != 0:
        return
    path, user = backup.database, pwd.getpwnam(config.user)
    for directory, _, names in os.walk(path):
        for one in (directory, *(os.path.join(directory, name) for name in names)):
            os.lchown(one, user.pw_uid, user.pw_gid)
    while path != backup.top:  # the directories above it are passed through, not listed
        path = os.path.dirname(path)
        os.chmod(path, 0o711)  # noqa: S103 (passed through by the service's user only)


def _remove(top: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(top)
