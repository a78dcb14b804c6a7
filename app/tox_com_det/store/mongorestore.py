"""Runs mongorestore, where MongoDB's tools are installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tox_com_det.model.manifest import Embedding
from tox_com_det.store.database_tools import connection_option
from tox_com_det.store.errors import RestoreError


def command(program: str, directory: Path, embedding: Embedding, connection: str) -> list[str]:
    """The command line; `connection` is its `--uri=...` or `--config=...`."""
    return [
        program,
        connection,
        f"--nsInclude={embedding.database}.{embedding.collection}",
        "--drop",
        "--stopOnError",
        # In a replica set, what is restored must survive the loss of a member.
        '--writeConcern={"w": "majority", "j": true}',
        "--numParallelCollections=1",
        "--numInsertionWorkersPerCollection=1",
        str(directory),
    ]


def run(program: str, uri: str, directory: Path, embedding: Embedding, lock: int) -> None:
    """Restore one collection; the program's output goes to this process's.

    Args:
        program: from `database_tools.find_program`.
        uri: of the database.
        directory: the dump.
        embedding: the collection.
        lock: file descriptor that holds the lock on the dump.

    Raises:
        RestoreError: it failed.
    """
    with connection_option(uri) as connection:
        sys.stdout.flush()
        # It inherits the lock, so a mongorestore that outlives this process is not disturbed.
        code = subprocess.run(  # noqa: S603 (built here, no shell)
            command(program, directory, embedding, connection),
            stderr=subprocess.STDOUT,
            pass_fds=[lock],
            check=False,
        ).returncode
    if code != 0:
        raise RestoreError(f"{program} failed with exit code {code}: see its output above")
