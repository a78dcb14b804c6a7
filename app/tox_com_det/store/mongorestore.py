"""Runs mongorestore, where MongoDB's tools are installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pymongo.uri_parser import parse_uri

from tox_com_det.model.manifest import Embedding
from tox_com_det.store.errors import RestoreError


def find_program(tool: str) -> str | None:
    """Path of mongorestore, or None where PyMongo restores.

    Args:
        tool: `auto`, `mongorestore` or `pymongo`.

    Raises:
        RestoreError: mongorestore was asked for and is not installed.
    """
    if tool == "pymongo":
        return None
    program = shutil.which("mongorestore")
    if program is None and tool == "mongorestore":
        raise RestoreError(
            "mongorestore is not on PATH: install mongodb-database-tools, or use --tool pymongo"
        )
    return program


def command(program: str, directory: Path, embedding: Embedding, connection: str) -> list[str]:
    """The command line; `connection` is its `--uri=...` or `--config=...`."""
    return [
        program,
        connection,
        f"--nsInclude={embedding.database}.{embedding.collection}",
        "--drop",
        "--stopOnError",
        "--numParallelCollections=1",
        "--numInsertionWorkersPerCollection=1",
        str(directory),
    ]


def run(program: str, uri: str, directory: Path, embedding: Embedding, lock: int) -> None:
    """Restore one collection; the program's output goes to this process's.

    Args:
        program: from `find_program`.
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


@contextmanager
def connection_option(uri: str) -> Iterator[str]:
    """The option that names the database; a password goes into a file of mode 0600.

    Every user of the machine can read command lines.
    """
    if parse_uri(uri)["password"] is None:
        yield f"--uri={uri}"
        return
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write("uri: '" + uri.replace("'", "''") + "'\n")
        file.flush()
        yield f"--config={file.name}"
