"""Finds MongoDB's tools, and tells them the database without a password on the command line."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from pymongo.uri_parser import parse_uri

from tox_com_det.store.errors import RestoreError


def find_program(name: str, tool: str) -> str | None:
    """Path of one of MongoDB's tools, or None where PyMongo does its work.

    Args:
        name: of the program, such as `mongodump`.
        tool: `auto`, the program's name, or `pymongo`.

    Raises:
        RestoreError: the program was asked for and is not installed.
    """
    if tool == "pymongo":
        return None
    program = shutil.which(name)
    if program is None and tool == name:
        raise RestoreError(
            f"{name} is not on PATH: install mongodb-database-tools, or use --tool pymongo"
        )
    return program


def in_replica_set(uri: str) -> bool:
    """Whether the address is that of a replica set."""
    return "replicaset" in parse_uri(uri)["options"]


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
