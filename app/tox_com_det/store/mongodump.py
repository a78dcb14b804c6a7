"""Runs mongodump, where MongoDB's tools are installed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tox_com_det.store.database_tools import connection_option, in_replica_set
from tox_com_det.store.errors import RestoreError


def run(program: str, uri: str, directory: Path, database: str, collection: str) -> None:
    """Dump one collection to `<directory>/<database>/<collection>.bson`.

    Raises:
        RestoreError: it failed; its own last line, which names no password.
    """
    # The primary is left to the service.
    members = ["--readPreference=secondaryPreferred"] if in_replica_set(uri) else []
    with connection_option(uri) as connection:
        done = subprocess.run(  # noqa: S603 (built here, no shell)
            [
                program,
                connection,
                *members,
                f"--db={database}",
                f"--collection={collection}",
                "--numParallelCollections=1",
                f"--out={directory}",
            ],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise RestoreError(f"{program} failed for {database}.{collection}: {last[:300]}")
