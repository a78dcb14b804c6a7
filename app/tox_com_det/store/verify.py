"""Checks whether a model could serve here: `python -m tox_com_det.store.verify --model DIR`.

Loads it as a worker would, in a process of its own: too much memory or a crash does not affect the
live service. Prints one line of JSON: what was found, or what is wrong and what to do next.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pymongo.errors import PyMongoError

from tox_com_det.model.bundle import BundleError, read_head, read_manifest
from tox_com_det.model.head import Head, HeadError
from tox_com_det.model.manifest import Embedding, Manifest, ManifestError
from tox_com_det.model.predictor import Predictor
from tox_com_det.settings import PREFIX, Settings, SettingsError
from tox_com_det.store.database import EmbeddingDatabase
from tox_com_det.store.errors import DatabaseUnavailable, EmbeddingNotReady
from tox_com_det.store.maintenance import (
    count_problem,
    database_problem,
    first_line,
    patient_client,
)
from tox_com_det.store.vectors import Vectors

# Longer than a worker's: this process has a lower priority than the live worker.
_DATABASE_MS = 10_000
_OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate memory", "Cannot allocate")

_BUILD = "build it again with `fab build-model`"
_OTHER_SCORES = (
    "run `fab restore-embeddings --verify`, which compares every word; if it repairs none, build"
    " the model again with `fab build-model`"
)
_DEPLOY = "run `fab deploy-model` again"
_RESTORE = "run `fab restore-embeddings`"
_DATABASE = "see `systemctl status mongod secantusdb`"


class VerifyError(Exception):
    """The model must not go live.

    Attributes:
        kind: manifest, hash, head, answers, collection, database, memory or other.
    """

    def __init__(self, kind: str, problem: str, command: str = "") -> None:
        # Some errors name the command already.
        named = not command or "`fab " in problem
        super().__init__(problem if named else f"{problem}: {command}")
        self.kind = kind


def verify(
    model: Path, environment: Mapping[str, str], database_name: str | None = None
) -> dict[str, Any]:
    """Check a model against its manifest, and return what was found. Changes nothing.

    Args:
        model: directory with manifest.json and head.onnx.
        environment: the service's settings; its TOX_COM_DET_MODEL is ignored.
        database_name: where the word vectors are, such as a scratch database; None: the manifest's.

    Raises:
        VerifyError: the model must not go live.
    """
    try:
        settings = Settings.from_environment({**environment, PREFIX + "MODEL": str(model)})
    except SettingsError as error:
        raise VerifyError(
            "other",
            str(error),
            "fix it in the inventory and run `ansible-playbook site.yml --tags flask_app`",
        ) from error
    try:
        manifest = read_manifest(model)
    except ManifestError as error:
        raise VerifyError("manifest", str(error), _DEPLOY) from error
    try:
        head = Head(read_head(model, manifest), manifest)
    except BundleError as error:
        raise VerifyError("hash", str(error), _DEPLOY) from error
    except (HeadError, MemoryError) as error:
        raise _head_problem(error) from error
    embedding = replace(manifest.embedding, database=database_name or manifest.embedding.database)
    database = EmbeddingDatabase(settings.mongodb_uri, _DATABASE_MS, embedding)
    try:
        database.verify()
        _check_count(settings.mongodb_uri, embedding)
        worst = _check_golden_outputs(manifest, head, Vectors(database, manifest.tokenizer, 0))
    except EmbeddingNotReady as error:
        raise VerifyError("collection", str(error), _RESTORE) from error
    except DatabaseUnavailable as error:
        raise VerifyError("database", str(error), _DATABASE) from error
    except PyMongoError as error:
        raise VerifyError("database", database_problem(settings.mongodb_uri, error)) from error
    finally:
        database.close()
    return {
        "golden_outputs": len(manifest.golden_outputs.cases),
        "worst": worst,
        "collection": f"{embedding.database}.{embedding.collection}",
        "count": embedding.count,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def _check_count(uri: str, embedding: Embedding) -> None:
    with patient_client(uri, "tox_com_det.store.verify") as client:
        problem = count_problem(client[embedding.database], embedding)
    if problem is not None:
        raise EmbeddingNotReady(problem)


def _check_golden_outputs(manifest: Manifest, head: Head, vectors: Vectors) -> float:
    """The largest difference from the golden outputs; VerifyError if one does not match."""
    try:
        check = Predictor(manifest, head, vectors).check_golden_outputs()
    except (DatabaseUnavailable, EmbeddingNotReady):
        raise
    except Exception as error:  # ONNX Runtime's errors share no base class
        raise _head_problem(error) from error
    if check.problem:
        raise VerifyError(
            "answers",
            f"{check.problem}; head or word vectors are not those of this manifest",
            _OTHER_SCORES,
        )
    return check.largest


def _head_problem(error: BaseException) -> VerifyError:
    message = first_line(error)
    if isinstance(error, MemoryError) or any(part in message for part in _OUT_OF_MEMORY):
        return VerifyError("memory", f"the head does not fit into memory ({message})", _BUILD)
    return VerifyError("head", message, _BUILD)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command: print one line of JSON, return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tox_com_det.store.verify",
        description="Check a model before it goes live; changes nothing.",
        epilog="Everything else comes from the service's TOX_COM_DET_* settings.",
    )
    parser.add_argument("--model", type=Path, required=True, help="the model's directory")
    parser.add_argument("--database", help="where its word vectors are (default: the manifest's)")
    arguments = parser.parse_args(argv)
    try:
        print(json.dumps(verify(arguments.model, os.environ, arguments.database)))
    except VerifyError as error:
        print(json.dumps({"error": str(error), "kind": error.kind}))
        return 1
    except Exception as error:  # toxctl parses this line, so no failure may leave it out
        traceback.print_exc()
        message = f"{type(error).__name__}: {first_line(error)}"
        print(json.dumps({"error": message, "kind": "other"}))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
