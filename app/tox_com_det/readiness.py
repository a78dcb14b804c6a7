"""Readiness: head, manifest and collection belong together, and the golden outputs match."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tox_com_det.model.bundle import BundleError, read_head, read_manifest
from tox_com_det.model.head import HeadError
from tox_com_det.model.manifest import ManifestError
from tox_com_det.model.predictor import Predictor
from tox_com_det.store.errors import DatabaseUnavailable, EmbeddingNotReady

OK = "ok"
NOT_CHECKED = "not checked"
CHECKS = ("manifest", "head", "collection", "golden_outputs")


@dataclass(frozen=True)
class Readiness:
    """Result of each check in order: `ok`, what is wrong, or `not checked` after a failure."""

    checks: dict[str, str]

    @property
    def ready(self) -> bool:
        """Whether every check is ok."""
        return all(result == OK for result in self.checks.values())

    @property
    def problem(self) -> str:
        """The failed check and what is wrong; "" where nothing failed."""
        return next((f"{name}: {one}" for name, one in self.checks.items() if one != OK), "")


def check_readiness(
    directory: Path, predictor: Predictor, verify_collection: Callable[[], object]
) -> Readiness:
    """Run the checks in order up to the first failure.

    Args:
        directory: the model's directory, read again: it must not have changed since it was loaded.
        predictor: the loaded model.
        verify_collection: raises DatabaseUnavailable or EmbeddingNotReady
            (`EmbeddingDatabase.verify`).
    """

    def manifest() -> str | None:
        if read_manifest(directory) != predictor.manifest:
            return (
                f"{directory} is damaged: manifest.json changed after it was loaded:"
                " run `fab deploy-model`"
            )
        return None

    def head() -> str | None:
        # The loaded head agreed with this manifest (see `Head`). The file is read again, so that a
        # model that was damaged since is noticed before the next start fails.
        read_head(directory, predictor.manifest)
        return None

    def collection() -> str | None:
        verify_collection()
        return None

    def golden_outputs() -> str | None:
        return predictor.check_golden_outputs().problem or None

    checks: dict[str, str] = dict.fromkeys(CHECKS, NOT_CHECKED)
    steps = (manifest, head, collection, golden_outputs)
    for name, step in zip(CHECKS, steps, strict=True):
        try:
            problem = step()
        except EmbeddingNotReady as error:
            # The cache holds rows of another state of the collection.
            predictor.vectors.forget()
            problem = str(error)
        except (BundleError, ManifestError) as error:
            problem = str(error)
            if "fab " not in problem:
                problem += ": run `fab deploy-model`"
        except (DatabaseUnavailable, HeadError) as error:
            problem = str(error)
        checks[name] = OK if problem is None else problem
        if problem is not None:
            break
    return Readiness(checks)
