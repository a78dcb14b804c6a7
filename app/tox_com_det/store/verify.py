"""Whether a model's release could serve here: `python -m tox_com_det.store.verify --model DIR`.

Loads it as a worker would, in a process of its own: what it needs too much, or does wrong, happens
to nobody else. One line of JSON says what was found, or what is wrong and what to do next.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pymongo.errors import PyMongoError

from tox_com_det.model.bundle import BundleError, read_head, read_manifest
from tox_com_det.model.head import Head, HeadError
from tox_com_det.model.manifest import Embedding, Manifest, ManifestError
from tox_com_det.model.predictor import Predictor
from tox_com_det.settings import PREFIX, Settings, SettingsError
from tox_com_det.store.collections import count_words, database_problem, first_line, patient_client
from tox_com_det.store.database import DatabaseUnavailable, EmbeddingDatabase, EmbeddingNotReady
from tox_com_det.store.vectors import Vectors

# The processor is shared with the worker that serves, and this one is nice to it.
_DATABASE_MS = 10_000
_OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate memory", "Cannot allocate")

_BUILD = "build it again with `fab build-model`"
_DEPLOY = "run `fab deploy-model` again"
_RESTORE = "run `fab restore-embeddings`"


class VerifyError(Exception):
    """The release may not serve.

    Attributes:
        kind: manifest, hash, head, answers, collection, database, memory or other.
    """

    def __init__(self, kind: str, problem: str, command: str = "") -> None:
        # Many an error names its command already.
        named = not command or "`fab " in problem
        super().__init__(problem if named else f"{problem}: {command}")
        self.kind = kind


def verify(model: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """What was found, if everything is as the manifest says.

    Args:
        model: directory with manifest.json and head.onnx.
        environment: the service's settings; TOX_COM_DET_MODEL of it does not count.

    Raises:
        VerifyError: something is not; nothing was changed.
    """
    try:
        settings = Settings.from_environment({**environment, PREFIX + "MODEL": str(model)})
    except SettingsError as error:
        raise VerifyError(
            "other",
            str(error),
            "correct it in the inventory and run `ansible-playbook site.yml --tags flask_app`",
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
    embedding = manifest.embedding
    database = EmbeddingDatabase(settings.mongodb_uri, _DATABASE_MS, embedding)
    try:
        database.verify()
        count = _count(settings.mongodb_uri, embedding)
        worst = _check_golden_outputs(manifest, head, Vectors(database, manifest.tokenizer, 0))
    except EmbeddingNotReady as error:
        raise VerifyError("collection", str(error), _RESTORE) from error
    except DatabaseUnavailable as error:
        raise VerifyError(
            "database", str(error), "see `systemctl status mongod secantusdb`"
        ) from error
    except PyMongoError as error:
        raise VerifyError("database", database_problem(settings.mongodb_uri, error)) from error
    finally:
        database.close()
    return {
        "golden_outputs": len(manifest.golden_outputs.cases),
        "worst": worst,
        "collection": f"{embedding.database}.{embedding.collection}",
        "count": count,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def _count(uri: str, embedding: Embedding) -> int:
    with patient_client(uri, "tox_com_det.store.verify") as client:
        count = count_words(client[embedding.database], embedding)
    if count != embedding.count:
        raise EmbeddingNotReady(
            f"{embedding.database}.{embedding.collection} holds {count} words,"
            f" the manifest says {embedding.count}"
        )
    return count


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
            "answers", f"{check.problem}; the head is not the one of this manifest", _BUILD
        )
    return check.largest


def _head_problem(error: BaseException) -> VerifyError:
    words = first_line(error)
    if isinstance(error, MemoryError) or any(part in words for part in _OUT_OF_MEMORY):
        return VerifyError("memory", f"the head does not fit into memory ({words})", _BUILD)
    return VerifyError("head", words, _BUILD)


def main(argv: Sequence[str] | None = None) -> int:
    """The command: one line of JSON; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tox_com_det.store.verify",
        description="Check a model's release before it serves; changes nothing.",
        epilog="Everything else is taken from the service's TOX_COM_DET_* settings.",
    )
    parser.add_argument("--model", type=Path, required=True, help="the release's directory")
    arguments = parser.parse_args(argv)
    try:
        print(json.dumps(verify(arguments.model, os.environ)))
    except VerifyError as error:
        print(json.dumps({"error": str(error), "kind": error.kind}))
        return 1
    except Exception as error:  # whoever reads this wants one line, whatever happened
        traceback.print_exc()
        words = f"{type(error).__name__}: {first_line(error)}"
        print(json.dumps({"error": words, "kind": "other"}))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
