"""Dumps of the databases for a backup: `python -m tox_com_det.store.backup --dump DIR`.

`--dump DIR` writes every collection in mongodump's form. `--load DIR --suffix S` restores such a
dump into scratch databases whose names end with S, reads it back and leaves it there; `--drop
--suffix S` removes them. `--add DIR` adds the dump's suggestions to those that are stored. Prints
one JSON object, or one with `error` and `kind`. Memory does not grow with the collections.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.errors import BulkWriteError, PyMongoError

from tox_com_det.perspective.settings import PerspectiveSettings, PerspectiveSettingsError
from tox_com_det.settings import SettingsError, mongodb_uri
from tox_com_det.store import collections, mongodump
from tox_com_det.store.concerns import MAJORITY, SECONDARY_PREFERRED
from tox_com_det.store.database_tools import find_program, in_replica_set
from tox_com_det.store.digest import Digest
from tox_com_det.store.disk_space import DiskSpace, check_room, local_storage
from tox_com_det.store.documents import MARKER_COLLECTION
from tox_com_det.store.dump import DumpError, read_documents
from tox_com_det.store.errors import DiskFull, RestoreError
from tox_com_det.store.maintenance import Documents, database_problem, patient_client
from tox_com_det.suggestions import collection as suggestions

DATABASES = (collections.DATABASE, suggestions.DATABASE)
# Of a scratch database: never empty, so that it cannot be the service's own.
SUFFIX = re.compile(r"_[a-z0-9]{1,20}")
_BATCH_BYTES = 2 * 1024 * 1024
_BATCH_DOCUMENTS = 1000
_DUPLICATE = 11000

Client = MongoClient[dict[str, Any]]
Found = dict[str, dict[str, int | str]]


def dump(client: Client, uri: str, directory: Path, tool: str) -> Found:
    """Write the collections below a directory; count, bytes and checksum by full name.

    Collections of word vectors without a marker are left out: a restore has not finished.

    Args:
        client: connected to `uri`.
        uri: for mongodump, a process of its own.
        directory: an empty one; gets `<database>/<collection>.bson` and `.metadata.json`.
        tool: `auto`, `mongodump` or `pymongo`.

    Raises:
        RestoreError: mongodump failed, or a collection changed its number of documents.
        DiskFull: a dump would leave no room for the database.
    """
    program = find_program("mongodump", tool)
    found: Found = {}
    for name in DATABASES:
        database = client.get_database(name, read_preference=SECONDARY_PREFERRED)
        for collection in _dumped(database):
            path = directory / name / f"{collection}.bson"
            path.parent.mkdir(exist_ok=True)
            if program is None:
                check_room(directory)
                _write(database, collection, path)
            else:
                check_room(directory, _size(database, collection))
                mongodump.run(program, uri, directory, name, collection)
            found[f"{name}.{collection}"] = _digest_of(path).content()
    if in_replica_set(uri):
        _require_counts(client, found)
    return found


def load(client: Client, uri: str, directory: Path, suffix: str) -> Found:
    """Restore a dump into scratch databases and read it back; digests by the original name.

    Raises:
        DumpError: a file of the dump is damaged.
        RestoreError: the disk is nearly full.
    """
    drop(client, suffix)
    found: Found = {}
    space = DiskSpace(client[f"{DATABASES[0]}{suffix}"], local_storage(uri, directory))
    files = sorted(directory.glob("*/*.bson"))
    space.check_before(sum(path.stat().st_size for path in files), 0)
    for path in files:
        database, collection = path.parent.name, path.stem
        target = client[f"{database}{suffix}"][collection]
        for batch in _batches(path):
            space.check_during()
            target.insert_many(batch, ordered=True)
        digest = Digest()
        for document in _documents(client[f"{database}{suffix}"], collection):
            digest.add(document)
        found[f"{database}.{collection}"] = digest.content()
    return found


def drop(client: Client, suffix: str) -> None:
    """Drop the scratch databases."""
    for name in DATABASES:
        client.drop_database(f"{name}{suffix}")


def add_suggestions(client: Client, directory: Path, days: int) -> int:
    """Add those suggestions of a dump that are not stored; return their number.

    Raises DumpError: the dump is damaged.
    """
    path = directory / suggestions.DATABASE / f"{suggestions.COLLECTION}.bson"
    if not path.exists():
        return 0
    for _ in _batches(path):
        pass  # all of it can be read, before anything is changed
    suggestions.prepare(client, days)
    added = 0
    collection = suggestions.collection_of(client).with_options(write_concern=MAJORITY)
    for batch in _batches(path):
        try:
            collection.insert_many(batch, ordered=False)
            # The driver does not list the identifiers of raw documents.
            added += len(batch)
        except BulkWriteError as error:
            if any(one["code"] != _DUPLICATE for one in error.details["writeErrors"]):
                raise
            added += int(error.details["nInserted"])
    return added


def _dumped(database: Documents) -> list[str]:
    names = {name for name in database.list_collection_names() if not name.startswith("system.")}
    if database.name == collections.DATABASE:
        marked = {marker["_id"] for marker in database[MARKER_COLLECTION].find({}, {"_id": 1})}
        names &= {*marked, MARKER_COLLECTION}
    return sorted(names)


def _require_counts(client: Client, found: Found) -> None:
    """Compare with the markers: a secondary may be behind the one that was asked for them.

    Raises RestoreError: a collection has another number of words than its marker says.
    """
    for marker in client[collections.DATABASE][MARKER_COLLECTION].find():
        name = f"{collections.DATABASE}.{marker['_id']}"
        if name in found and "count" in marker and found[name]["count"] != marker["count"]:
            raise RestoreError(
                f"the dump of {name} has {found[name]['count']} words where {marker['count']}"
                " were restored: make the backup again; if that does not help, run"
                " `fab restore-embeddings`"
            )


def _documents(database: Documents, collection: str) -> Iterator[bytes]:
    """The documents as BSON, in the order in which the database has them."""
    raw = database.get_collection(
        collection,
        codec_options=database.codec_options.with_options(document_class=RawBSONDocument),
    )
    for document in raw.find({}, batch_size=_BATCH_DOCUMENTS):
        yield bytes(document.raw)  # type: ignore[attr-defined]  # RawBSONDocument by its options


def _size(database: Documents, collection: str) -> int:
    """Bytes of a collection's documents, as MongoDB counts them; mongodump is another process."""
    return int(database.command("collStats", collection)["size"])


def _write(database: Documents, collection: str, path: Path) -> None:
    unchecked = 0
    with path.open("wb") as file:
        for document in _documents(database, collection):
            unchecked += file.write(document)
            if unchecked >= _BATCH_BYTES:
                check_room(path.parent)
                unchecked = 0
    indexes = [dict(one) for one in database[collection].list_indexes()]
    metadata = {"options": {}, "indexes": indexes, "collectionName": collection}
    path.with_suffix(".metadata.json").write_text(json.dumps(metadata, default=str) + "\n")


def _digest_of(path: Path) -> Digest:
    digest = Digest()
    with path.open("rb") as stream:
        for document in read_documents(stream, path.name):
            digest.add(document)
    return digest


def _batches(path: Path) -> Iterator[list[RawBSONDocument]]:
    batch: list[RawBSONDocument] = []
    size = 0
    with path.open("rb") as stream:
        for document in read_documents(stream, path.name):
            batch.append(RawBSONDocument(document))
            size += len(document)
            if size >= _BATCH_BYTES or len(batch) >= _BATCH_DOCUMENTS:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def _suffix(text: str) -> str:
    if SUFFIX.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no suffix such as _drill")
    return text


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tox_com_det.store.backup",
        description="Dump the databases, or restore a dump beside them.",
        epilog="TOX_COM_DET_MONGODB_URI names the database.",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--dump", type=Path, metavar="DIR", help="write every collection")
    what.add_argument("--load", type=Path, metavar="DIR", help="restore into scratch databases")
    what.add_argument("--drop", action="store_true", help="remove the scratch databases")
    what.add_argument("--add", type=Path, metavar="DIR", help="add the dump's suggestions")
    parser.add_argument("--suffix", type=_suffix, help="of the scratch databases, such as _drill")
    parser.add_argument("--tool", choices=("auto", "mongodump", "pymongo"), default="auto")
    arguments = parser.parse_args(argv)
    if (arguments.load is not None or arguments.drop) != (arguments.suffix is not None):
        parser.error("--suffix belongs to --load and --drop")
    return arguments


def _run(arguments: argparse.Namespace, environment: Mapping[str, str]) -> dict[str, Any]:
    uri = mongodb_uri(environment)
    with patient_client(uri, "tox_com_det.store.backup") as client:
        try:
            if arguments.dump is not None:
                found = dump(client, uri, arguments.dump, arguments.tool)
                return {"collections": found, "tool": find_program("mongodump", arguments.tool)}
            if arguments.load is not None:
                return {"collections": load(client, uri, arguments.load, arguments.suffix)}
            if arguments.drop:
                drop(client, arguments.suffix)
                return {"dropped": True}
            days = PerspectiveSettings.from_environment(environment).suggestions_days
            return {"added": add_suggestions(client, arguments.add, days)}
        except PyMongoError as error:
            return {"error": database_problem(uri, error), "kind": "database"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; print one line of JSON, return 0 or 1."""
    try:
        answer = _run(_arguments(argv), os.environ)
    except DiskFull as error:
        answer = {"error": str(error), "kind": "disk"}
    except OSError as error:
        kind = "disk" if error.errno in (28, 122) else "other"
        answer = {"error": f"{error.filename or 'dump'}: {error.strerror or error}", "kind": kind}
    except (DumpError, RestoreError, SettingsError, PerspectiveSettingsError) as error:
        answer = {"error": str(error), "kind": "other"}
    print(json.dumps(answer))
    return int("error" in answer)


if __name__ == "__main__":
    sys.exit(main())
