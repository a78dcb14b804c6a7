"""Restores an embedding into MongoDB: `python -m tox_com_det.store.restore`.

The dump is checked before the database is changed, restored by mongorestore or by PyMongo, read
back in full, compared, counted, and only then marked as restored. Without the marker the collection
is not used: what a failed run leaves behind is dropped, if need be by the next run, or completed
where it is more than half of the words. Memory does not grow with the dump.

Where most of the words are there, a model may serve from them: they are repaired in place, and
nothing is dropped.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from pymongo.errors import PyMongoError

from tox_com_det.model.manifest import Embedding, Manifest, ManifestError
from tox_com_det.settings import SettingsError, mongodb_uri
from tox_com_det.store import mongorestore, repair
from tox_com_det.store import restore_steps as steps
from tox_com_det.store.database_tools import find_program
from tox_com_det.store.disk_space import DiskSpace, local_storage
from tox_com_det.store.documents import MARKER_COLLECTION, marker_problem
from tox_com_det.store.dump import Dump, DumpError, find_dump
from tox_com_det.store.errors import RestoreError
from tox_com_det.store.maintenance import (
    Documents,
    count_problem,
    database_problem,
    drop,
    patient_client,
    stored_bytes,
)
from tox_com_det.store.progress import Say
from tox_com_det.store.restore_steps import Client


def restored(client: Client, embedding: Embedding) -> str | None:
    """None if the embedding is restored and verified, else what is missing."""
    database = client[embedding.database]
    marker = database[MARKER_COLLECTION].find_one({"_id": embedding.collection})
    problem = marker_problem(marker, embedding)
    if problem is not None or marker is None:
        return problem
    if database[embedding.collection].find_one({"_id": marker["witness"]}, {"_id": 1}) is None:
        problem = f"{embedding.database}.{embedding.collection} has a marker but no documents"
    else:
        problem = count_problem(database, embedding)
    return problem and f"{problem}: run `fab restore-embeddings`"


def restore(
    client: Client,
    uri: str,
    directory: Path,
    embedding: Embedding,
    tool: str,
    say: Say,
    verify: bool = False,
) -> None:
    """Restore, verify and mark one embedding; does nothing where that was done before.

    Args:
        client: connected to `uri`.
        uri: for mongorestore, a process of its own.
        directory: the dump, `<directory>/<database>/<collection>.bson`.
        embedding: what the manifest says.
        tool: `auto`, `mongorestore` or `pymongo`.
        say: receives progress lines.
        verify: compare every word also where that was done before, and repair what differs.

    Raises:
        DumpError: the dump is damaged or another one; the database was not changed.
        RestoreError: restoring failed; says what became of the collection.
        PyMongoError: the database failed, and what was there before is kept.
    """
    name = f"{embedding.database}.{embedding.collection}"
    if not verify and restored(client, embedding) is None:
        say(f"{name}: {embedding.count} words are already restored, nothing to do")
        return
    program = find_program("mongorestore", tool)
    dump = find_dump(directory, embedding)
    database = client[embedding.database]
    space = DiskSpace(database, local_storage(uri, directory))
    with _exclusive(dump.bson) as lock:
        steps.check_dump(dump, embedding, say)
        if repair.is_mostly_there(database, embedding):
            _repair(client, dump, embedding, say, space)
            return
        space.check_before(dump.bytes, _existing_bytes(database, embedding.collection))
        drop(database, embedding.collection)
        try:
            if program is None:
                steps.insert(client, dump, embedding, say, space)
            else:
                say(f"restoring with {program}")
                mongorestore.run(program, uri, directory, embedding, lock)
            _prove(client, dump, embedding, say)
        except (DumpError, RestoreError, PyMongoError) as error:
            raise _after_cleanup(database, embedding, uri, error) from error
    say(f"{name}: {embedding.count} words restored and verified")


def _repair(client: Client, dump: Dump, embedding: Embedding, say: Say, space: DiskSpace) -> None:
    """Repair the collection in place; whatever fails, what was there before is kept."""
    try:
        changed = repair.repair(client[embedding.database], dump, embedding, say, space)
        _prove(client, dump, embedding, say)
    except (DumpError, RestoreError) as error:
        raise RestoreError(f"{error} (the collection was kept)") from error
    name = f"{embedding.database}.{embedding.collection}"
    say(f"{name}: {embedding.count} words compared and verified, {changed} were repaired")
    if changed:
        say(
            f"{name}: a worker keeps the words that it has read: if a live model uses them, run"
            " `sudo toxctl activate --force` on its app hosts"
        )


def _prove(client: Client, dump: Dump, embedding: Embedding, say: Say) -> None:
    """Read every word back, and mark the collection as restored."""
    witness = steps.read_back(client, dump, embedding, say)
    steps.mark(client, embedding, witness)
    # Last, so that it also finds what a database lost that crashed and came back meanwhile.
    steps.check_count(client, embedding)


def _after_cleanup(
    database: Documents, embedding: Embedding, uri: str, error: Exception
) -> RestoreError:
    """Drop what is unfinished, and return the error to raise."""
    problem = database_problem(uri, error) if isinstance(error, PyMongoError) else str(error)
    try:
        drop(database, embedding.collection)
        rest = "the unfinished collection was dropped"
    except PyMongoError:
        # Nothing reads it without a marker.
        rest = "the unfinished collection is dropped by the next run"
    return RestoreError(f"{problem} ({rest})")


def _existing_bytes(database: Documents, name: str) -> int:
    exists = name in database.list_collection_names()
    return (stored_bytes(database, name) or 0) if exists else 0


@contextmanager
def _exclusive(path: Path) -> Iterator[int]:
    """Hold a lock on the dump file, which the kernel releases in any case; its descriptor."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RestoreError(
                f"{path} is being restored by another process: wait until it has finished"
            ) from error
        yield file.fileno()


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tox_com_det.store.restore",
        description="Restore a bundle's word vectors into MongoDB, verify and mark them.",
        epilog="TOX_COM_DET_MONGODB_URI names the database.",
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
        help="change nothing; exit 0 if the vectors are restored and verified, else 1",
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="compare every word, also of a restored collection, and repair what differs",
    )
    arguments = parser.parse_args(argv)
    if arguments.dump is None and not arguments.check_only:
        parser.error("--dump is required without --check-only")
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
                name = f"{embedding.database}.{embedding.collection}"
                say(f"{name}: {embedding.count} words are restored")
            else:
                restore(
                    client,
                    uri,
                    arguments.dump,
                    embedding,
                    arguments.tool,
                    say,
                    arguments.verify,
                )
        except PyMongoError as error:
            raise RestoreError(database_problem(uri, error)) from error


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns 0 if restored, also before, and 1 after one line on stderr."""
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
        print("restore: interrupted; the next run starts from the beginning", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)  # so that mongorestore ends as well
    sys.exit(main())
