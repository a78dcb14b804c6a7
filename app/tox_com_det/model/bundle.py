"""A model's release directory on disk: manifest.json and head.onnx that belong together."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tox_com_det.model.manifest import HEAD_FILE, Manifest

MANIFEST_FILE = "manifest.json"


class BundleError(Exception):
    """The directory does not hold a whole model. One line."""


def read_manifest(directory: Path) -> Manifest:
    """The release's manifest.

    Raises:
        ManifestError: missing, or not in the form of this version.
    """
    return Manifest.load(directory / MANIFEST_FILE)


def read_head(directory: Path, manifest: Manifest) -> bytes:
    """Content of the release's head.onnx, whose sha256 is the manifest's.

    Raises:
        BundleError: it is missing or another file.
    """
    path = directory / HEAD_FILE
    try:
        head = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}") from error
    found, wanted = hashlib.sha256(head).hexdigest(), manifest.files[HEAD_FILE].sha256
    if found != wanted:
        raise BundleError(
            f"{path}: sha256 is {found[:12]}..., the manifest says {wanted[:12]}...:"
            " run `fab deploy-model` again"
        )
    return head
