"""Write the files of a bundle: the dump of the word vectors, head.onnx and manifest.json."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from controller.model_build.consistency import label_names, sequence_length, windows_of
from controller.model_build.dead_positions import (
    IndexTexts,
    Texts,
    VectorTexts,
    find_dead_positions,
)
from controller.model_build.describe import describe_dump, describe_model
from controller.model_build.dump import DATABASE, Dump, check_space, write_dump
from controller.model_build.errors import BuildError
from controller.model_build.golden_outputs import Embedded, golden_outputs
from controller.model_build.head import Head, build_head, with_metadata
from controller.model_build.keras_file import as_keras_writes
from controller.model_build.keras_model import KerasModel
from controller.model_build.plausibility import (
    Unusual,
    check_rows,
    check_scores,
    check_trained,
)
from controller.model_build.reference import read_reference
from controller.model_build.rows import NUMBER_BYTES, Rows, StoredRows, open_rows
from controller.model_build.score_maps import manifest_text
from controller.model_build.scoring import open_session
from controller.model_build.settings import Settings
from controller.model_build.vocabulary import Vocabulary
from controller.progress import step_progress
from tox_com_det.model.bundle import MANIFEST_FILE
from tox_com_det.model.manifest import (
    FORMAT_VERSION,
    HEAD_FILE,
    Manifest,
    ManifestError,
    content_version,
)

_SAMPLED_ROWS = 256


@dataclass(frozen=True)
class Plan:
    """What a bundle is made of.

    Attributes:
        model: the open Keras model.
        chosen: the words of the database.
        unknown: row of the out-of-vocabulary token, None without one.
        settings: settings of the build.
        reference: file with Keras' scores, None without one.
        tools: versions of the programs that take part, by name.
        unusual: takes what is unusual about the model.
    """

    model: KerasModel
    chosen: Vocabulary
    unknown: int | None
    settings: Settings
    reference: Path | None
    tools: Mapping[str, str]
    unusual: Unusual


def write_bundle(work: Path, plan: Plan, say: Callable[[str], None]) -> Manifest:
    """Write every file of a bundle into the empty directory `work`; quick checks come first.

    Raises:
        BuildError: with one line for the user.
    """
    model, settings, chosen = plan.model, plan.settings, plan.chosen
    reachable = int(max(chosen.indices.max(), plan.unknown or 0)) + 1
    with as_keras_writes(model.path):
        length = sequence_length(model, settings)
        windows_of(settings, length)  # refuses a stride before the long part
        head = build_head(model, length, mode=settings.mode, rows=reachable)
    labels = label_names(model, settings, head.labels)
    check_trained(model, plan.unusual)
    dtype = "index" if settings.mode == "whole" else settings.dtype
    for line in describe_model(model, head, chosen, settings):
        say(line)
    row_bytes = 4 if dtype == "index" else head.dimension * NUMBER_BYTES[dtype]
    check_space(work, len(chosen), row_bytes)

    with open_rows(head.matrix, model.path, work, model.offset) as rows:
        stored = StoredRows(rows, dtype)
        embedded = Embedded(chosen, rows, stored, plan.unknown)
        special = embedded.special_rows()
        check_rows(chosen, rows, plan.unusual)
        reference = read_reference(plan.reference, head.labels) if plan.reference else None
        outputs = golden_outputs(head, labels, settings, embedded, reference, plan.unusual)
        check_scores([case["scores"] for case in outputs["cases"]], plan.unusual)
        probe = open_session(head.probe.SerializeToString())
        dead = find_dead_positions(probe, _random_texts(head, rows, chosen), length)
        with step_progress("word vectors", len(chosen), say) as step:
            documents = (
                (word, number, None if dtype == "index" else stored[number])
                for word, number in chosen
            )
            dump = write_dump(work / "dump", settings.embedding_name, documents, step)
    say(describe_dump(dump, dtype))

    file = with_metadata(head.proto, dump.checksum, labels, length)
    (work / HEAD_FILE).write_bytes(file)
    content = {
        "format_version": FORMAT_VERSION,
        "name": settings.name,
        "files": {HEAD_FILE: {"sha256": hashlib.sha256(file).hexdigest(), "bytes": len(file)}},
        "labels": list(labels),
        **_text_rules(settings, length),
        "embedding": {
            **_collection(dump),
            "dimension": 1 if dtype == "index" else head.dimension,
            "dtype": dtype,
            "special_rows": {
                str(number): base64.b64encode(row).decode("ascii")
                for number, row in special.items()
            },
        },
        "golden_outputs": outputs,
        "architecture": model.architecture,
        "dead_positions": dead,
        "built_with": dict(plan.tools),
        "languages": list(settings.languages),
    }
    content["model_version"] = content_version(content)
    try:
        manifest = Manifest.from_dict(content)
    except ManifestError as error:
        raise BuildError(
            f"{model.path}: no app reads a manifest of this model ({error}): change the model or "
            "its settings"
        ) from error
    (work / MANIFEST_FILE).write_text(manifest_text(manifest), encoding="utf-8")
    return manifest


def _text_rules(settings: Settings, length: int) -> dict[str, Any]:
    """The parts of a manifest that say how a text becomes a sequence of tokens."""
    windows = windows_of(settings, length)
    return {
        "sequence": {
            "length": length,
            "padding": settings.padding,
            "truncating": settings.truncating,
            **({"windows": asdict(windows)} if windows else {}),
        },
        "tokenizer": {
            "num_words": settings.num_words or None,
            "filters": settings.filters,
            "lower": settings.lower,
            "split": settings.split,
            "char_level": settings.char_level,
            "oov_token": settings.oov_token,
            "normalization": settings.normalization,
        },
    }


def _collection(dump: Dump) -> dict[str, Any]:
    """The part of a manifest that says where the word vectors are."""
    return {
        "database": DATABASE,
        "collection": dump.collection,
        "count": dump.count,
        "checksum": dump.checksum,
    }


def _random_texts(head: Head, rows: Rows, chosen: Vocabulary) -> Texts:
    if head.mode == "whole":
        return IndexTexts(head.length, chosen.indices)
    return VectorTexts(head.length, head.dimension, _spread(rows, chosen), head.masked)


def _spread(rows: Rows, chosen: Vocabulary) -> float:
    """Standard deviation of the embedding's numbers, over a sample of its rows."""
    step = max(1, len(chosen) // _SAMPLED_ROWS)
    sample = b"".join(rows[int(index)] for index in chosen.indices[::step])
    return float(np.frombuffer(sample, "<f4").astype(np.float64).std())
