"""The embeddings' collections in MongoDB: `python -m tox_com_det.store.collections [--drop]`.

Lists those of database word_embeddings, and drops the ones that nothing names any more. Also what
the restorer and the verifier share: counting, dropping, a client that waits longer than the app's.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

from tox_com_det.model.manifest import Embedding
from tox_com_det.settings import SettingsError, mongodb_uri
from tox_com_det.store.database import MARKER_COLLECTION, shown_uri

DATABASE = "word_embeddings"
CONNECT_MS = 5000
_SOCKET_MS = 120_000
_NAMED_BY_CONTENT = re.compile(r"[a-z0-9_]{1,60}_[0-9a-f]{12}")

Documents = Database[dict[str, Any]]


def patient_client(uri: str, name: str) -> MongoClient[dict[str, Any]]:
    """A client for work that may take minutes; nothing is sent before its first use."""
    return MongoClient(
        uri,
        appname=name,
        serverSelectionTimeoutMS=CONNECT_MS,
        connectTimeoutMS=CONNECT_MS,
        socketTimeoutMS=_SOCKET_MS,
        maxPoolSize=1,
    )


def database_problem(uri: str, error: PyMongoError) -> str:
    """One line for what the database did, with the command that says more."""
    unreachable = isinstance(error, ConnectionFailure)
    what = " does not answer" if unreachable else f": {first_line(error)}"
    return f"MongoDB at {shown_uri(uri)}{what}: see `systemctl status mongod secantusdb`"


def first_line(error: BaseException) -> str:
    """The words of an error without what PyMongo appends: the whole answer, a batch's documents."""
    details = getattr(error, "details", None) or {}
    written = details.get("writeErrors") or [{}]
    words = details.get("errmsg") or written[0].get("errmsg") or str(error)
    return (words.splitlines() or [type(error).__name__])[0][:300]


def count_words(database: Documents, embedding: Embedding) -> int:
    """Documents of the embedding's collection.

    MongoDB's own count costs nothing, but after a crash it may be off for good: one that is not
    the manifest's is counted again in full.
    """
    collection = database[embedding.collection]
    found = collection.estimated_document_count()
    return found if found == embedding.count else collection.count_documents({})


def stored_bytes(database: Documents, name: str) -> int | None:
    """What a collection that is there takes on the disk; None where the database does not say."""
    try:
        stats = database.command("collStats", name)
        return int(stats["storageSize"]) + int(stats["totalIndexSize"])
    except (OperationFailure, KeyError, TypeError, ValueError):
        return None


def drop(database: Documents, name: str) -> None:
    """Drop a collection and its marker.

    The marker goes first: it may never vouch for a collection that is being dropped. Deleting from
    a collection that does not exist yet is an error on SecantusDB, so it is looked for.
    """
    marker = {"_id": name}
    if database[MARKER_COLLECTION].find_one(marker) is not None:
        database[MARKER_COLLECTION].delete_one(marker)
    database.drop_collection(name)


def embeddings(database: Documents) -> list[str]:
    """Names of what a restore made: a marker is there for it, or it is named by its content."""
    marked = {marker["_id"] for marker in database[MARKER_COLLECTION].find({}, {"_id": 1})}
    there = set(database.list_collection_names())
    names = marked | {name for name in there if _NAMED_BY_CONTENT.fullmatch(name)}
    return sorted(
        name
        for name in names
        if isinstance(name, str) and name != MARKER_COLLECTION and not name.startswith("system.")
    )


def young_embeddings(database: Documents, seconds: float) -> set[str]:
    """Names of what was restored less than that long ago, as the restore's markers say."""
    since = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=seconds)
    return {
        marker["_id"]
        for marker in database[MARKER_COLLECTION].find({}, {"restored_at": 1})
        if isinstance(marker.get("restored_at"), datetime) and marker["restored_at"] > since
    }


def prune(
    database: Documents,
    keep: Sequence[str],
    only: Sequence[str],
    dropping: bool,
    keep_young: float = 0.0,
) -> list[dict[str, Any]]:
    """Each embedding, and what becomes of it.

    Args:
        database: where they are.
        keep: names that stay, each also as `<database>.<name>`.
        only: names that may go, all if empty.
        dropping: whether those that need not stay are dropped, or only told.
        keep_young: seconds; what was restored since then stays, a deploy may be about to name it.
    """
    young = young_embeddings(database, keep_young)
    kept, droppable = (
        {name.removeprefix(f"{database.name}.") for name in names} for names in (keep, only)
    )
    there = set(database.list_collection_names())
    told = []
    for name in embeddings(database):
        stays = name in kept | young or bool(droppable and name not in droppable)
        size = stored_bytes(database, name) if name in there else 0
        if dropping and not stays:
            drop(database, name)
        told.append({"name": name, "bytes": size, "kept": stays, "dropped": dropping and not stays})
    return told


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tox_com_det.store.collections",
        description=f"List the embeddings of database {DATABASE} as one line of JSON.",
        epilog="The database is the one of TOX_COM_DET_MONGODB_URI.",
    )
    parser.add_argument(
        "--keep", action="append", default=[], metavar="NAME", help="this one stays (repeatable)"
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="no other than this one goes (repeatable)",
    )
    parser.add_argument(
        "--keep-young",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="what was restored since then stays",
    )
    parser.add_argument("--drop", action="store_true", help="drop those that need not stay")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """The command: one line of JSON; returns its exit code."""
    arguments = _arguments(argv)
    try:
        uri = mongodb_uri(os.environ)
    except SettingsError as error:
        print(json.dumps({"error": str(error), "kind": "other"}))
        return 1
    try:
        with patient_client(uri, "tox_com_det.store.collections") as client:
            told = prune(
                client[DATABASE],
                arguments.keep,
                arguments.only,
                arguments.drop,
                arguments.keep_young,
            )
    except PyMongoError as error:
        print(json.dumps({"error": database_problem(uri, error), "kind": "database"}))
        return 1
    print(json.dumps({"collections": told}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
