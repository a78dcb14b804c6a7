"""The manifest's form in msgspec, to be measured against the reader that the service uses.

`bench/manifest_validation.py` runs it; nothing else does.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from tox_com_det import strict_json
from tox_com_det.model.content_version import content_version
from tox_com_det.model.manifest_parts import BYTES_PER_VALUE, ManifestError

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Side = Literal["pre", "post"]
Count = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Text = Annotated[str, Meta(min_length=1)]


class Form(Struct, frozen=True, forbid_unknown_fields=True):
    pass


class FileEntry(Form, frozen=True):
    sha256: Sha256
    bytes: Count


class Files(Form, frozen=True):
    head: FileEntry = msgspec.field(name="head.onnx")


class Sequence(Form, frozen=True):
    length: Annotated[int, Meta(ge=1, le=100_000)]
    padding: Side
    truncating: Side


class Tokenizer(Form, frozen=True):
    num_words: Annotated[int, Meta(ge=1)] | None
    filters: str
    lower: bool
    split: Text
    char_level: bool
    oov_token: Text | None


class Embedding(Form, frozen=True):
    database: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,60}\Z")]
    collection: Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,60}_[0-9a-f]{12}\Z")]
    count: Count
    dimension: Annotated[int, Meta(ge=1, le=100_000)]
    dtype: Literal["float32", "float16", "index"]
    checksum: Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}\Z")]
    special_rows: dict[Annotated[int, Meta(ge=0, lt=10**9)], bytes]


class GoldenOutput(Form, frozen=True):
    text: str
    scores: tuple[float, ...]
    reference: tuple[float, ...] | None


class GoldenOutputs(Form, frozen=True):
    tolerance: Annotated[float, Meta(gt=0, lt=1)]
    cases: Annotated[tuple[GoldenOutput, ...], Meta(min_length=1)]
    reference_max_difference: Annotated[float, Meta(ge=0)] | None


class Manifest(Form, frozen=True):
    format_version: Literal[1, 2]
    model_version: Annotated[str, Meta(pattern=r"^[0-9a-f]{12}\Z")]
    name: Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,40}\Z")]
    files: Files
    labels: Annotated[tuple[Text, ...], Meta(min_length=1)]
    sequence: Sequence
    tokenizer: Tokenizer
    embedding: Embedding
    golden_outputs: GoldenOutputs
    architecture: dict[str, Any]
    dead_positions: tuple[Annotated[int, Meta(ge=0)], ...]
    built_with: dict[str, str]


def load(path: Path) -> Manifest:
    """Read and check a manifest file; ManifestError where it is not in its form."""
    text = path.read_text(encoding="utf-8")
    try:
        data = strict_json.loads(text)
        # A manifest of format 1, whose golden outputs have another name.
        renamed = {"golden_outputs" if k == "known_answers" else k: v for k, v in data.items()}
        manifest = msgspec.convert(renamed, Manifest, str_keys=True)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{path}: {error}") from error
    problem = _problem(manifest, content_version(data))
    if problem is not None:
        raise ManifestError(f"{path}: {problem}")
    return manifest


def _problem(manifest: Manifest, version: str) -> str | None:
    """What the types cannot say."""
    embedding, size = manifest.embedding, len(manifest.labels)
    if len(set(manifest.labels)) != size:
        return "labels: each label once"
    if not embedding.collection.endswith("_" + embedding.checksum[7:19]):
        return "embedding.collection: its name does not end with the checksum's digits"
    if embedding.dtype == "index" and embedding.dimension != 1:
        return "embedding.dimension: expected 1 for dtype index"
    wide = embedding.dimension * BYTES_PER_VALUE[embedding.dtype]
    for key, row in embedding.special_rows.items():
        if len(row) != wide:
            return f"embedding.special_rows.{key} has {len(row)} bytes, expected {wide}"
    expected = 1 if manifest.tokenizer.oov_token is None else 2
    if 0 not in embedding.special_rows or len(embedding.special_rows) != expected:
        return f"embedding.special_rows has the rows {sorted(embedding.special_rows)}"
    for number, case in enumerate(manifest.golden_outputs.cases):
        for scores in (case.scores, case.reference):
            if scores is not None and (len(scores) != size or not all(map(math.isfinite, scores))):
                return f"golden_outputs.cases[{number}]: expected {size} finite scores"
    if any(position >= manifest.sequence.length for position in manifest.dead_positions):
        return f"dead_positions: expected positions below {manifest.sequence.length}"
    if manifest.model_version != version:
        return f"model_version is {manifest.model_version}, its content makes {version}"
    return None
