"""The stored suggestions: `python -m tox_com_det.suggestions [--export MODEL | --clear]`.

Prints one JSON object a line. Without an option: how many there are. With `--export`:
`{"columns"}`, a `{"row"}` for each suggestion, and `{"rows"}`, their number. An error is the last
line.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pymongo.errors import PyMongoError

from tox_com_det.model.bundle import read_manifest
from tox_com_det.model.manifest import ManifestError
from tox_com_det.perspective.settings import PerspectiveSettings, PerspectiveSettingsError
from tox_com_det.settings import SettingsError, mongodb_uri
from tox_com_det.store.maintenance import database_problem, patient_client
from tox_com_det.suggestions.collection import Client, collection_of, prepare, stored_bytes
from tox_com_det.suggestions.table import Table

_BATCH = 500

Line = dict[str, Any]


def report(client: Client, settings: PerspectiveSettings) -> Line:
    """How many suggestions are stored since when, and the settings."""
    collection = collection_of(client)
    oldest = collection.find_one({}, {"at": 1}, sort=[("at", 1)])
    return {
        # MongoDB's own count is free, but can be wrong after a crash.
        "stored": collection.estimated_document_count() or collection.count_documents({}),
        "bytes": stored_bytes(client),
        "oldest": oldest["at"].strftime("%Y-%m-%dT%H:%M:%SZ") if oldest else None,
        "on": settings.store_suggestions,
        "max_mb": settings.suggestions_max_mb,
        "days": settings.suggestions_days,
    }


def export(client: Client, settings: PerspectiveSettings, model: Path) -> Iterator[Line]:
    """The columns for a model's labels, the suggestions as rows, and their number.

    Raises:
        ManifestError: the model's manifest cannot be read.
    """
    table = Table(read_manifest(model).labels, settings.labels)
    yield {"columns": table.columns}
    number = 0
    for document in collection_of(client).find({}, {"_id": 0}, batch_size=_BATCH):
        yield {"row": table.row(document)}
        number += 1
    yield {"rows": number}


def clear(client: Client, settings: PerspectiveSettings) -> Line:
    """Remove all suggestions; how many there were."""
    collection = collection_of(client)
    number = collection.estimated_document_count()
    # A drop gives the disk space back. While the service stores, it expects the index.
    collection.drop()
    if settings.store_suggestions:
        prepare(client, settings.suggestions_days)
    return {"cleared": number}


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tox_com_det.suggestions",
        description="Count, export or remove the stored suggestions.",
        epilog="TOX_COM_DET_MONGODB_URI names the database.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--export", type=Path, metavar="MODEL", help="for the labels of this model")
    what.add_argument("--clear", action="store_true", help="remove all of them")
    return parser.parse_args(argv)


def _run(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Iterator[Line]:
    uri = mongodb_uri(environment)
    settings = PerspectiveSettings.from_environment(environment)
    try:
        with patient_client(uri, "tox_com_det.suggestions") as client:
            if arguments.export is not None:
                yield from export(client, settings, arguments.export)
            elif arguments.clear:
                yield clear(client, settings)
            else:
                yield report(client, settings)
    except PyMongoError as error:
        yield {"error": database_problem(uri, error), "kind": "database"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, or 1 after a line with `error` and `kind`."""
    failed = False
    try:
        for line in _run(_arguments(argv), os.environ):
            failed = "error" in line
            print(json.dumps(line))
    except (ManifestError, PerspectiveSettingsError, SettingsError) as error:
        print(json.dumps({"error": str(error), "kind": "other"}))
        failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
