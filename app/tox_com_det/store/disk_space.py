"""Free space on the database's disk: a full disk would fail the live service too."""

from __future__ import annotations

import shutil
from pathlib import Path

from pymongo.errors import OperationFailure
from pymongo.uri_parser import parse_uri

from tox_com_det.store.errors import DiskFull, RestoreError
from tox_com_det.store.maintenance import Documents

RESERVE_BYTES = 256 * 1024 * 1024
# Disk space of a restore as a multiple of its dump: the documents, and the journal, which is
# truncated at checkpoints only (measured: 3.4 for 300,000 x 300 on SecantusDB).
_FACTOR = 4
# SecantusDB does not report its disk, and fails altogether when that is full.
SECANTUSDB_STORAGE = Path("/var/lib/secantusdb")
_LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


class DiskSpace:
    """Free bytes of the disk that the database writes to, where they can be known."""

    def __init__(self, database: Documents, directory: Path | None) -> None:
        """`directory` is on that disk, for a database that does not report it; None: unknown."""
        self._database = database
        # Asked once: SecantusDB, which does not report it, reads every document for its reply.
        self._reports = self._reported() is not None
        self._directory = directory

    def check_before(self, dump_bytes: int, dropped_bytes: int) -> None:
        """Check before anything is written that a dump fits.

        Args:
            dump_bytes: size of the dump.
            dropped_bytes: what is dropped first.

        Raises:
            RestoreError: it does not fit.
        """
        free, needed = self._free(), dump_bytes * _FACTOR + RESERVE_BYTES
        if free is not None and free + dropped_bytes < needed:
            raise RestoreError(
                f"the database's disk has {_megabytes(free + dropped_bytes)} free, restoring"
                f" {_megabytes(dump_bytes)} takes up to {_megabytes(needed)}: free space with"
                " `fab prune`"
            )

    def check_during(self) -> None:
        """Check between writes; other programs may fill the disk.

        Raises:
            RestoreError: it is nearly full.
        """
        free = self._free()
        if free is not None and free < RESERVE_BYTES:
            raise RestoreError(
                f"the database's disk has only {_megabytes(free)} left: free space with `fab prune`"
            )

    def _free(self) -> int | None:
        if self._reports:
            return self._reported()
        return None if self._directory is None else shutil.disk_usage(self._directory).free

    def _reported(self) -> int | None:
        try:
            stats = self._database.command("dbStats")
            total, used = int(stats["fsTotalSize"]), int(stats["fsUsedSize"])
        except (OperationFailure, KeyError):  # SecantusDB, or a user without the right
            return None
        return total - used if total else None  # 0: MongoDB, for a database that is still empty


def check_room(directory: Path, more_bytes: int = 0) -> None:
    """Check that a dump leaves room for the database, which is on the same disk on a small server.

    Args:
        directory: of the dump.
        more_bytes: what is written next, as far as it is known.

    Raises:
        DiskFull: too little would be left.
    """
    free = shutil.disk_usage(directory).free
    if free - more_bytes < RESERVE_BYTES:
        raise DiskFull(
            f"the disk of {directory} has {_megabytes(free)} free, and {_megabytes(RESERVE_BYTES)}"
            " have to stay free for the database: free space with `fab prune`"
        )


def local_storage(uri: str, dump: Path) -> Path | None:
    """A directory on the disk of a database on this machine; None for another machine's.

    A small server has one disk, so the dump's directory stands for MongoDB's.
    """
    if not any(host in _LOCAL_HOSTS for host, _ in parse_uri(uri)["nodelist"]):
        return None
    return SECANTUSDB_STORAGE if SECANTUSDB_STORAGE.is_dir() else dump


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
