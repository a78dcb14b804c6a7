"""Restores an embedding into MongoDB: `python -m tox_com_det.store.restore`.

The dump is checked before the database is touched, restored by mongorestore or by PyMongo, read
back in full, compared, counted and only then marked as restored. Without the mark it does not
count: what a failed run leaves behind is dropped, by the next one if need be. Memory does not grow
with the dump, and the disk is not filled up: a database without room fails the live service too.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient, WriteConcern
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.uri_parser import parse_uri

from tox_com_det.model.manifest import Embedding, Manifest, ManifestError
from tox_com_det.settings import SettingsError, mongodb_uri
from tox_com_det.store.collections import (
    Documents,
    count_words,
    database_problem,
    drop,
    patient_client,
    stored_bytes,
)
from tox_com_det.store.database import MARKER_COLLECTION, marker_of, marker_problem, parse_row
from tox_com_det.store.dump import (
    Dump,
    DumpError,
    EmbeddingCheck,
    find_dump,
    read_documents,
    read_row,
)

BATCH_BYTES = 2 * 1024 * 1024
BATCH_DOCUMENTS = 1000
_READ_BATCH = 1000
_PROGRESS_SECONDS = 1.0
RESERVE_BYTES = 256 * 1024 * 1024
# What a restore takes on the disk, as a multiple of its dump: the documents, and the journal, which
# is cut at a checkpoint only (measured: 3.4 times 300,000 x 300 on SecantusDB).
_ROOM = 4
# Of SecantusDB, which does not tell its disk and fails altogether when that is full.
STAND_IN_STORAGE = Path("/var/lib/secantusdb")
_LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")

Say = Callable[[str], None]


class RestoreError(Exception):
    """The embedding is not in the database. One line."""


class Progress:
    """Lines such as `restoring  42 %  168000 of 400000 words  6.1 MB/s`, one a second."""

    def __init__(self, say: Say, verb: str, total: int) -> None:
        self._say = say
        self._verb = verb
        self._total = total
        self._start = self._last = time.monotonic()

    def step(self, words: int, size: int) -> None:
        """Say where it is, if the last line is old enough."""
        now = time.monotonic()
        if now - self._last >= _PROGRESS_SECONDS:
            self._last = now
            self._line(words, size, now)

    def done(self, words: int, size: int) -> None:
        """Say that it is done."""
        self._line(words, size, time.monotonic())

    def _line(self, words: int, size: int, now: float) -> None:
        percent = 100 * words // max(self._total, 1)
        rate = size / max(now - self._start, 1e-3) / 1e6
        self._say(
            f"{self._verb:<10} {percent:>3} %  {words} of {self._total} words  {rate:.1f} MB/s"
        )


def restored(client: MongoClient[dict[str, Any]], embedding: Embedding) -> str | None:
    """None if the embedding is there and verified, else words for what is missing."""
    database = client[embedding.database]
    marker = database[MARKER_COLLECTION].find_one({"_id": embedding.collection})
    problem = marker_problem(marker, embedding)
    if problem is not None or marker is None:
        return problem
    if database[embedding.collection].find_one({"_id": marker["witness"]}, {"_id": 1}) is None:
        problem = f"{embedding.database}.{embedding.collection} has a marker but no documents"
    else:
        problem = _count_problem(database, embedding)
    return problem and f"{problem}: run `fab restore-embeddings`"


class Room:
    """What is free on the disk that the database writes to, as far as anybody knows."""

    def __init__(self, database: Documents, directory: Path | None) -> None:
        """`directory` is on that disk, for a database that does not tell; None: not known."""
        self._database = database
        # Asked once: SecantusDB, which does not tell, reads every document for its answer.
        self._tells = self._told() is not None
        self._directory = directory

    def needed(self, dump: Dump, leftover: int) -> None:
        """Look before anything is written; `leftover` bytes will be dropped first.

        Raises:
            RestoreError: the dump does not fit.
        """
        free, needed = self._free(), dump.bytes * _ROOM + RESERVE_BYTES
        if free is not None and free + leftover < needed:
            raise RestoreError(
                f"the database's disk has {_megabytes(free + leftover)} free, a restore of"
                f" {_megabytes(dump.bytes)} takes up to {_megabytes(needed)}: make room with"
                " `fab prune`"
            )

    def left(self) -> None:
        """Look while it is written to; somebody else may fill it.

        Raises:
            RestoreError: it is nearly full.
        """
        free = self._free()
        if free is not None and free < RESERVE_BYTES:
            raise RestoreError(
                f"the database's disk has only {_megabytes(free)} left: make room with `fab prune`"
            )

    def _free(self) -> int | None:
        if self._tells:
            return self._told()
        return None if self._directory is None else shutil.disk_usage(self._directory).free

    def _told(self) -> int | None:
        try:
            stats = self._database.command("dbStats")
            total, used = int(stats["fsTotalSize"]), int(stats["fsUsedSize"])
        except (OperationFailure, KeyError):  # SecantusDB, or a user without the right
            return None
        return total - used if total else None  # 0: MongoDB of a database that is still empty


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"


def restore(
    client: MongoClient[dict[str, Any]],
    uri: str,
    directory: Path,
    embedding: Embedding,
    tool: str,
    say: Say,
) -> None:
    """Restore, verify and mark one embedding; does nothing where it is there already.

    Args:
        client: connected to `uri`.
        uri: for mongorestore, a process of its own.
        directory: the dump, `<directory>/<database>/<collection>.bson`.
        embedding: what the manifest says.
        tool: `auto`, `mongorestore` or `pymongo`.
        say: takes progress lines.

    Raises:
        DumpError: the dump is damaged or another one; the database was not touched.
        RestoreError: restoring failed; says what became of the unfinished collection.
        PyMongoError: the database failed before anything was changed.
    """
    where = f"{embedding.database}.{embedding.collection}"
    if restored(client, embedding) is None:
        say(f"{where}: {embedding.count} words are already there, nothing done")
        return
    program = _mongorestore(tool)
    dump = find_dump(directory, embedding)
    database = client[embedding.database]
    room = Room(database, _storage(uri, directory))
    with _only_one(dump.bson) as lock:
        _check_dump(dump, embedding, say)
        room.needed(dump, _leftover(database, embedding.collection))
        drop(database, embedding.collection)
        try:
            if program is None:
                _insert(client, dump, embedding, say, room)
            else:
                say(f"restoring with {program}")
                _run_mongorestore(program, uri, directory, embedding, lock)
            witness = _verify(client, dump, embedding, say)
            _mark(client, embedding, witness)
            # Last: it also tells what a database lost that was killed and came back meanwhile.
            _check_count(client, embedding)
        except (DumpError, RestoreError, PyMongoError) as error:
            raise _undone(database, embedding, uri, error) from error
    say(f"{where}: {embedding.count} words restored and verified")


def _undone(database: Documents, embedding: Embedding, uri: str, error: Exception) -> RestoreError:
    """Drop what is unfinished, and the error that says so."""
    problem = database_problem(uri, error) if isinstance(error, PyMongoError) else str(error)
    try:
        drop(database, embedding.collection)
        rest = "the unfinished collection was dropped"
    except PyMongoError:
        # Nothing reads it without a marker.
        rest = "the unfinished collection is dropped by the next run"
    return RestoreError(f"{problem} ({rest})")


def _leftover(database: Documents, name: str) -> int:
    there = name in database.list_collection_names()
    return (stored_bytes(database, name) or 0) if there else 0


def _storage(uri: str, dump: Path) -> Path | None:
    """A directory on the disk of a database on this machine: a small server has but one."""
    if not any(host in _LOCAL_HOSTS for host, _ in parse_uri(uri)["nodelist"]):
        return None
    return STAND_IN_STORAGE if STAND_IN_STORAGE.is_dir() else dump


def mongorestore_command(
    program: str, directory: Path, embedding: Embedding, connection: str
) -> list[str]:
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


def _mongorestore(tool: str) -> str | None:
    if tool == "pymongo":
        return None
    program = shutil.which("mongorestore")
    if program is None and tool == "mongorestore":
        raise RestoreError(
            "mongorestore is not on PATH: install mongodb-database-tools, or use --tool pymongo"
        )
    return program


def _run_mongorestore(
    program: str, uri: str, directory: Path, embedding: Embedding, lock: int
) -> None:
    with _connection_option(uri) as connection:
        command = mongorestore_command(program, directory, embedding, connection)
        sys.stdout.flush()
        # It keeps the lock: what goes on after this process was killed is not disturbed.
        code = subprocess.run(  # noqa: S603 (built here, no shell)
            command, stderr=subprocess.STDOUT, pass_fds=[lock], check=False
        ).returncode
    if code != 0:
        raise RestoreError(f"{program} ended with code {code}; its lines are above")


@contextmanager
def _connection_option(uri: str) -> Iterator[str]:
    # A command line can be read by every user of the machine, so a password goes into a file.
    if parse_uri(uri)["password"] is None:
        yield f"--uri={uri}"
        return
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:  # mode 0600
        file.write("uri: '" + uri.replace("'", "''") + "'\n")
        file.flush()
        yield f"--config={file.name}"


@contextmanager
def _only_one(path: Path) -> Iterator[int]:
    """Hold a lock on the dump file, which the kernel gives back whatever happens; its number."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RestoreError(
                f"{path} is being restored by another process: wait for it"
            ) from error
        yield file.fileno()


def _check_dump(dump: Dump, embedding: Embedding, say: Say) -> None:
    check, progress, size = EmbeddingCheck(embedding), Progress(say, "checking", embedding.count), 0
    with dump.bson.open("rb") as stream:
        for document in read_documents(stream, dump.bson.name):
            try:
                check.add(read_row(document, embedding))
            except DumpError as error:
                raise DumpError(f"{dump.bson}, document {check.count}: {error}") from error
            size += len(document)
            progress.step(check.count, size)
    check.finish(str(dump.bson))
    progress.done(check.count, size)


def _insert(
    client: MongoClient[dict[str, Any]], dump: Dump, embedding: Embedding, say: Say, room: Room
) -> None:
    collection = client[embedding.database].get_collection(
        embedding.collection, write_concern=WriteConcern(w=1)
    )
    progress = Progress(say, "restoring", embedding.count)
    count = size = pending = 0
    batch: list[RawBSONDocument] = []
    with dump.bson.open("rb") as stream:
        for document in read_documents(stream, dump.bson.name):
            batch.append(RawBSONDocument(document))
            pending += len(document)
            if pending >= BATCH_BYTES or len(batch) >= BATCH_DOCUMENTS:
                room.left()
                collection.insert_many(batch, ordered=True)
                count, size, pending, batch = count + len(batch), size + pending, 0, []
                progress.step(count, size)
    if batch:
        collection.insert_many(batch, ordered=True)
        count, size = count + len(batch), size + pending
    progress.done(count, size)


def _check_count(client: MongoClient[dict[str, Any]], embedding: Embedding) -> None:
    """Refuse words beside the dump's, which `_verify` does not ask for."""
    problem = _count_problem(client[embedding.database], embedding)
    if problem is not None:
        raise RestoreError(problem)


def _count_problem(database: Documents, embedding: Embedding) -> str | None:
    found = count_words(database, embedding)
    if found == embedding.count:
        return None
    where = f"{embedding.database}.{embedding.collection}"
    return f"{where}: {found} words are there, the manifest says {embedding.count}"


def _verify(client: MongoClient[dict[str, Any]], dump: Dump, embedding: Embedding, say: Say) -> str:
    """Read everything back and compare; returns one of the words.

    The words of the dump are asked for by key, some at a time and in its order, which is that of
    the checksum: no server has to sort or hold more than one answer, whatever the dump's size.
    """
    word = ""
    check, progress, size = (
        EmbeddingCheck(embedding),
        Progress(say, "verifying", embedding.count),
        0,
    )
    collection = client[embedding.database][embedding.collection]
    with dump.bson.open("rb") as stream:
        documents = read_documents(stream, dump.bson.name)
        while words := [read_row(one, embedding).word for one in islice(documents, _READ_BATCH)]:
            found = {one["_id"]: one for one in collection.find({"_id": {"$in": words}})}
            for word in words:
                if word not in found:
                    raise RestoreError(f"read back: word {word!r} is not there")
                try:
                    row = parse_row(found[word], embedding)
                except ValueError as error:
                    raise RestoreError(f"read back: {error}") from error
                check.add(row)
                size += len(row.vector)
            progress.step(check.count, size)
    check.finish(f"{embedding.database}.{embedding.collection}, read back,")
    progress.done(check.count, size)
    return word


def _mark(client: MongoClient[dict[str, Any]], embedding: Embedding, witness: str) -> None:
    marker = {**marker_of(embedding, witness), "restored_at": datetime.now(UTC)}
    database = client[embedding.database]
    try:
        _write_marker(database.get_collection(MARKER_COLLECTION, write_concern=_JOURNALED), marker)
    except OperationFailure:
        # A server without a journal refuses j; the documents were verified all the same.
        _write_marker(database[MARKER_COLLECTION], marker)


_JOURNALED = WriteConcern(w=1, j=True)


def _write_marker(collection: Any, marker: dict[str, Any]) -> None:
    collection.replace_one({"_id": marker["_id"]}, marker, upsert=True)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tox_com_det.store.restore",
        description="Restore a bundle's word vectors into MongoDB, verify and mark them.",
        epilog="The database is the one of TOX_COM_DET_MONGODB_URI.",
    )
    parser.add_argument("--manifest", type=Path, required=True, help="the bundle's manifest.json")
    parser.add_argument("--dump", type=Path, help="directory with <database>/<collection>.bson")
    parser.add_argument(
        "--tool",
        choices=("auto", "mongorestore", "pymongo"),
        default="auto",
        help="auto: mongorestore where it is on PATH, else pymongo",
    )
    parser.add_argument(
        "--check-only",
        action="store_true",
        help="change nothing; exit 0 if the vectors are there and verified, else 1",
    )
    arguments = parser.parse_args(argv)
    if arguments.dump is None and not arguments.check_only:
        parser.error("--dump is needed, unless --check-only")
    return arguments


def _run(arguments: argparse.Namespace, say: Say) -> None:
    embedding = Manifest.load(arguments.manifest).embedding
    uri = mongodb_uri(os.environ)
    with patient_client(uri, "tox_com_det.store.restore") as client:
        try:
            if arguments.check_only:
                problem = restored(client, embedding)
                if problem is not None:
                    raise RestoreError(problem)
                say(f"{embedding.database}.{embedding.collection}: {embedding.count} words there")
            else:
                restore(client, uri, arguments.dump, embedding, arguments.tool, say)
        except PyMongoError as error:
            raise RestoreError(database_problem(uri, error)) from error


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit code, 0 done or already there, 1 with one line otherwise."""
    arguments = _arguments(argv)
    try:
        _run(arguments, lambda line: print(line, flush=True))
    except DumpError as error:
        again = "build it again with `fab build-model`, then run `fab restore-embeddings`"
        print(f"restore: {error}: {again}", file=sys.stderr)
        return 1
    except (ManifestError, RestoreError, SettingsError) as error:
        print(f"restore: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"restore: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("restore: interrupted; the next run begins anew", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)  # so that mongorestore ends with it as well
    sys.exit(main())
