"""The embeddings' collections in MongoDB: `python -m tox_com_det.store.collections [--drop]`.

Lists those of database word_embeddings, and drops those that no model refers to any more.
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

from pymongo.errors import PyMongoError

from tox_com_det.settings import SettingsError, mongodb_uri
from tox_com_det.store.documents import MARKER_COLLECTION
from tox_com_det.store.maintenance import (
    Documents,
    database_problem,
    drop,
    patient_client,
    stored_bytes,
)

DATABASE = "word_embeddings"
_NAMED_BY_CONTENT = re.compile(r"[a-z0-9_]{1,60}_[0-9a-f]{12}")


def embeddings(database: Documents) -> list[str]:
    """Names of restored collections: they have a marker, or a name made of their content."""
    marked = {marker["_id"] for marker in database[MARKER_COLLECTION].find({}, {"_id": 1})}
    existing = set(database.list_collection_names())
    names = marked | {name for name in existing if _NAMED_BY_CONTENT.fullmatch(name)}
    return sorted(
        name
        for name in names
        if isinstance(name, str) and name != MARKER_COLLECTION and not name.startswith("system.")
    )


def young_embeddings(database: Documents, seconds: float) -> set[str]:
    """Names of collections whose marker was written in the last `seconds`."""
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
    """List the embeddings, and drop those that are not kept.

    Args:
        database: the database.
        keep: names to keep, with or without `<database>.` in front.
        only: names that may be dropped; empty: all.
        dropping: whether to drop, or only to list.
        keep_young: seconds; collections restored since then are kept, because a deploy may be
            about to use them.

    Returns:
        Of each embedding `name`, `bytes` (None: unknown), `kept` and `dropped`.
    """
    young = young_embeddings(database, keep_young)
    kept, droppable = (
        {name.removeprefix(f"{database.name}.") for name in names} for names in (keep, only)
    )
    existing = set(database.list_collection_names())
    result = []
    for name in embeddings(database):
        stays = name in kept | young or bool(droppable and name not in droppable)
        size = stored_bytes(database, name) if name in existing else 0
        if dropping and not stays:
            drop(database, name)
        result.append(
            {"name": name, "bytes": size, "kept": stays, "dropped": dropping and not stays}
        )
    return result


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tox_com_det.store.collections",
        description=f"List the embeddings of database {DATABASE} as one line of JSON.",
        epilog="TOX_COM_DET_MONGODB_URI names the database.",
    )
    parser.add_argument(
        "--keep", action="append", default=[], metavar="NAME", help="keep this one (repeatable)"
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="drop no other than this one (repeatable)",
    )
    parser.add_argument(
        "--keep-young",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="keep collections restored since then",
    )
    parser.add_argument("--drop", action="store_true", help="drop those that are not kept")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command: print one line of JSON, return the exit code."""
    arguments = _arguments(argv)
    try:
        uri = mongodb_uri(os.environ)
    except SettingsError as error:
        print(json.dumps({"error": str(error), "kind": "other"}))
        return 1
    try:
        with patient_client(uri, "tox_com_det.store.collections") as client:
            listed = prune(
                client[DATABASE],
                arguments.keep,
                arguments.only,
                arguments.drop,
                arguments.keep_young,
            )
    except PyMongoError as error:
        print(json.dumps({"error": database_problem(uri, error), "kind": "database"}))
        return 1
    print(json.dumps({"collections": listed}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
