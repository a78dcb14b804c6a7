"""The version of a model, made of everything that decides a score."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tox_com_det.model.manifest_parts import HEAD_FILE, ManifestError

# Keys of the tokenizer that older manifests do not have, with the values that change nothing.
_DEFAULTS = (("normalization", "keras"), ("style", "tokenizer"))


def content_version(data: Mapping[str, Any]) -> str:
    """Version of a model: 12 hex digits over everything that decides a score.

    `data` is an object in the form of `manifest.json`; `format_version`, `model_version`, the name,
    the golden outputs and the tools' versions do not count. Score maps and languages decide what
    the Perspective API answers; without them, and with the tokenizer's defaults, the version is
    that of older manifests.

    Raises:
        ManifestError: a part that counts is missing.
    """
    try:
        embedding = data["embedding"]
        deciding = {
            "files": {HEAD_FILE: {"sha256": data["files"][HEAD_FILE]["sha256"]}},
            "labels": data["labels"],
            "sequence": data["sequence"],
            "tokenizer": {
                key: value
                for key, value in data["tokenizer"].items()
                if (key, value) not in _DEFAULTS
            },
            "embedding": {
                key: embedding[key] for key in ("checksum", "dimension", "dtype", "special_rows")
            },
        }
        if data.get("score_maps"):
            deciding["score_maps"] = data["score_maps"]
        if data.get("languages", ["en"]) != ["en"]:
            deciding["languages"] = data["languages"]
    except (KeyError, TypeError, AttributeError) as error:
        raise ManifestError(f"cannot compute the model version: {error} is missing") from error
    canonical = json.dumps(deciding, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()[:12]
