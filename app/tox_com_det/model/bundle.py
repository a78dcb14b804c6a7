"""A model's directory on disk: manifest.json, and the head.onnx that belongs to it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tox_com_det.model.manifest import HEAD_FILE, Manifest

MANIFEST_FILE = "manifest.json"


class BundleError(Exception):
    """The directory does not contain a complete model. One line."""


def read_manifest(directory: Path) -> Manifest:
    """The model's manifest.

    Raises:
        ManifestError: missing, or not in a form that this release reads.
    """
    return Manifest.load(directory / MANIFEST_FILE)


def read_head(directory: Path, manifest: Manifest) -> bytes:
    """Content of the model's head.onnx, whose sha256 is the manifest's.

    Raises:
        BundleError: it is missing, or another file.
    """
    path = directory / HEAD_FILE
    try:
        head = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}") from error
    found, expected = hashlib.sha256(head).hexdigest(), manifest.files[HEAD_FILE].sha256
    if found != expected:
        raise BundleError(
            f"{path}: sha256 is {found[:12]}..., the manifest says {expected[:12]}...:"
            " run `fab deploy-model` again"
        )
    return head
