"""A bundle on the laptop, checked before any of it is uploaded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from controller.deploy.errors import DeployError
from controller.model_build.errors import file_problem
from tox_com_det.model.manifest import HEAD_FILE, Manifest, ManifestError
from toxctl.golden import alike

__all__ = ["Bundle", "deployable_bundle", "load_bundle", "sha256_of"]

MANIFEST_FILE = "manifest.json"
REBUILD = "run `fab build-model`, with --h5 for a model of your own"
_SHOWN_SCORES = 6


def sha256_of(path: Path, length: int | None = None) -> str:
    """Return the sha256 (hex) of a file, or of its first `length` bytes."""
    digest = hashlib.sha256()
    left = length if length is not None else path.stat().st_size
    with path.open("rb") as file:
        while left > 0 and (chunk := file.read(min(left, 1 << 20))):
            digest.update(chunk)
            left -= len(chunk)
    return digest.hexdigest()


@dataclass(frozen=True)
class Bundle:
    """A checked bundle: manifest and head belong together."""

    directory: Path
    manifest: Manifest

    @property
    def version(self) -> str:
        """The model's version, which names its release on the server."""
        return self.manifest.model_version

    @property
    def model_files(self) -> list[Path]:
        """The files of a model release, the manifest first."""
        return [self.directory / MANIFEST_FILE, self.directory / HEAD_FILE]

    @property
    def dump_files(self) -> list[Path]:
        """The dump in mongodump's form; DeployError if a file of it is missing."""
        embedding = self.manifest.embedding
        base = self.directory / "dump" / embedding.database
        files = [base / f"{embedding.collection}{end}" for end in (".metadata.json", ".bson")]
        for path in files:
            if not path.is_file() or not path.stat().st_size:
                raise DeployError(f"the bundle has no {path}: {REBUILD}")
        return files


def deployable_bundle(directory: Path) -> Bundle:
    """Return the bundle in the directory, unless it would call every comment harmless.

    Raises DeployError: as `load_bundle`, or golden outputs that are all alike.
    """
    bundle = load_bundle(directory)
    golden = bundle.manifest.golden_outputs
    scores = [case.scores for case in golden.cases]
    if alike(scores, golden.tolerance):
        shown = ", ".join(f"{score:.3f}" for score in scores[0][:_SHOWN_SCORES])
        raise DeployError(
            f"the bundle in {bundle.directory} gives all {len(scores)} golden texts the same "
            f"scores ({shown}), as a model without its own word index does, so it is not "
            "deployed: run `fab build-model` with the model's --h5 and --word-index, which says "
            "what is wrong"
        )
    return bundle


def load_bundle(directory: Path) -> Bundle:
    """Return the bundle in the directory.

    Raises DeployError: no bundle, an invalid manifest, a file missing or changed.
    """
    if file_problem(directory / MANIFEST_FILE):
        raise DeployError(f"there is no bundle in {directory}: {REBUILD}")
    try:
        manifest = Manifest.load(directory / MANIFEST_FILE)
    except ManifestError as error:
        raise DeployError(f"the bundle's manifest is invalid ({error}): {REBUILD}") from None
    for name, entry in manifest.files.items():
        path = directory / name
        if not path.is_file():
            raise DeployError(f"the bundle has no {path}: {REBUILD}")
        found = sha256_of(path)
        if path.stat().st_size != entry.bytes or found != entry.sha256:
            raise DeployError(
                f"{path} does not match its manifest (sha256 {found[:12]}..., "
                f"expected {entry.sha256[:12]}...): {REBUILD}"
            )
    return Bundle(directory, manifest)
