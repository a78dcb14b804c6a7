"""Score maps in a bundle: written, kept by a new build of the same model, removed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from controller.model_build import stamp
from tox_com_det.model.bundle import MANIFEST_FILE
from tox_com_det.model.manifest import Manifest, ManifestError, content_version
from tox_com_det.model.score_map import ScoreMap

__all__ = ["keep_maps", "manifest_text", "set_maps"]


def manifest_text(manifest: Manifest) -> str:
    """The content of `manifest.json`."""
    return json.dumps(manifest.to_dict(), indent=1, ensure_ascii=False) + "\n"


def set_maps(bundle: Path, maps: Mapping[str, ScoreMap]) -> Manifest:
    """Replace the score maps of a bundle, which gives it another version; {} removes them.

    The manifest is replaced as a whole. A bundle that is current stays so for `fab build-model`.

    Raises:
        ManifestError: the bundle's manifest or a map is invalid.
        OSError: the manifest cannot be written; it is unchanged.
    """
    path = bundle / MANIFEST_FILE
    manifest = _with_maps(Manifest.load(path), maps)
    work = bundle / f".{MANIFEST_FILE}.{os.getpid()}"
    try:
        with work.open("w", encoding="utf-8") as file:
            file.write(manifest_text(manifest))
            file.flush()
            os.fsync(file.fileno())
        before = stamp.sha256(path)
        work.replace(path)
    finally:
        work.unlink(missing_ok=True)
    stamp.restamp(bundle, MANIFEST_FILE, before)
    return manifest


def keep_maps(
    previous: Path, work: Path, manifest: Manifest, say: Callable[[str], None]
) -> Manifest:
    """Take over the score maps of the bundle that is replaced, if the model's scores are the same.

    Args:
        previous: the bundle that is replaced; may be missing.
        work: the new bundle.
        manifest: the new bundle's.
        say: takes a line that says what became of the maps.
    """
    try:
        old = Manifest.load(previous / MANIFEST_FILE)
    except ManifestError:
        return manifest
    if not old.score_maps:
        return manifest
    same = _with_maps(replace(old, languages=manifest.languages), {})  # languages decide no score
    if same.model_version != manifest.model_version:
        say(
            "warning: the score maps of the previous bundle are left out, they belong to another "
            "model: run `fab fit-scores` again"
        )
        return manifest
    say(f"score maps kept: {', '.join(old.score_maps)}")
    kept = _with_maps(manifest, old.score_maps)
    (work / MANIFEST_FILE).write_text(manifest_text(kept), encoding="utf-8")
    return kept


def _with_maps(manifest: Manifest, maps: Mapping[str, ScoreMap]) -> Manifest:
    data = replace(manifest, score_maps=dict(maps)).to_dict()
    data["model_version"] = content_version(data)
    return Manifest.from_dict(data)
