"""Write the files of a bundle: the dump of the word vectors, head.onnx and manifest.json."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from controller.model_build.consistency import (
    TRIAL_LENGTH,
    label_names,
    label_question,
    length_question,
    sequence_length,
    windows_of,
)
from controller.model_build.dead_positions import Found, describe_sample, find_dead_positions
from controller.model_build.describe import describe_dump, describe_model
from controller.model_build.dump import DATABASE, Dump, check_space, write_dump
from controller.model_build.errors import BuildError
from controller.model_build.golden_outputs import Embedded, golden_outputs
from controller.model_build.head import Head, build_head, stated_length, with_metadata
from controller.model_build.keras_file import as_keras_writes
from controller.model_build.keras_model import KerasModel
from controller.model_build.origins import KEY, MODEL, Origins, recorded, summary
from controller.model_build.plausibility import (
    Unusual,
    check_rows,
    check_scores,
    check_trained,
)
from controller.model_build.random_texts import IndexTexts, Texts, VectorTexts
from controller.model_build.reference import read_reference
from controller.model_build.rows import NUMBER_BYTES, StoredRows, open_rows
from controller.model_build.score_maps import manifest_text
from controller.model_build.settings import Settings
from controller.model_build.sides import settle_sides, start_difference
from controller.model_build.start_tokens import StartToken, check_start
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
        origins: where each of them comes from.
        questions: what must be stated before anything is built, one line each.
        reference: file with Keras' scores, None without one.
        tools: versions of the programs that take part, by name.
        unusual: takes what is unusual about the model.
        start: a word that may stand before every text of the training, None without one.
    """

    model: KerasModel
    chosen: Vocabulary
    unknown: int | None
    settings: Settings
    origins: Origins
    questions: tuple[str, ...]
    reference: Path | None
    tools: Mapping[str, str]
    unusual: Unusual
    start: StartToken | None = None


def write_bundle(work: Path, plan: Plan, say: Callable[[str], None]) -> Manifest:
    """Write every file of a bundle into the empty directory `work`; quick checks come first.

    Raises:
        BuildError: with one line for the user.
    """
    model, settings, chosen = plan.model, plan.settings, plan.chosen
    reachable = int(max(chosen.indices.max(), plan.unknown or 0)) + 1
    with as_keras_writes(model.path):
        known, stated = sequence_length(model, settings), stated_length(model)
        length = TRIAL_LENGTH if known is None else known
        if known is not None:
            windows_of(settings, length)  # refuses a stride before the long part
        try:
            head = build_head(model, length, mode=settings.mode, rows=reachable)
        except BuildError:
            if known is None:  # the length that is tried may be the reason
                ask(model.path, [*plan.questions, length_question()])
            raise
    for line in head.remarks:
        say(line)
    origins = plan.origins.with_origin(MODEL, "length") if stated else plan.origins
    questions = [*plan.questions, *filter(None, [label_question(settings, head.labels)])]
    if known is None:
        questions.append(length_question())
    labels = label_names(model, settings, head.labels) if settings.labels else ()
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
        if known is None and reference is not None:
            ask(model.path, questions)  # the sides are told by its scores, at the true length
        sides = settle_sides(head, settings, origins, embedded, reference)
        ask(model.path, [*questions, *filter(None, [sides.question])])
        settings = sides.settings
        if plan.start is not None and plan.start.index < reachable:
            moved = start_difference(head, settings, embedded, plan.start.index)
            if moved is not None:
                check_start(plan.start, moved, plan.unusual)
        lines = summary(settings, sides.origins, length)
        for line in ("settings:", *(f"  {line}" for line in (*lines, *sides.notes))):
            say(line)
        outputs = golden_outputs(head, labels, settings, embedded, reference, plan.unusual)
        check_scores([case["scores"] for case in outputs["cases"]], plan.unusual)
        found = _dead_positions(head, _random_texts(head, embedded), say)
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
        "dead_positions": found.dead,
        "built_with": {**plan.tools, KEY: recorded(lines)},
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


def ask(path: Path, questions: Sequence[str]) -> None:
    """Stop with what must be stated, all of it in one line.

    Raises:
        BuildError: there is a question.
    """
    if not questions:
        return
    numbered = [f"({number}) {one}" for number, one in enumerate(questions, start=1)]
    listed = "; ".join(numbered) if len(questions) > 1 else questions[0]
    raise BuildError(f"{path}: {listed}")


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
            "style": settings.style,
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


def _dead_positions(head: Head, texts: Texts, say: Callable[[str], None]) -> Found:
    with step_progress("positions", head.length, say) as step:
        found = find_dead_positions(head.probe, texts, head.length, step)
    line = describe_sample(found, head.length)
    if line:
        say(line)
    return found


def _random_texts(head: Head, embedded: Embedded) -> Texts:
    """Texts of words and, where the head takes vectors, of the rows that belong to no word."""
    indices = embedded.chosen.indices
    if head.mode == "whole":
        return IndexTexts(head.length, indices)
    step = max(1, len(indices) // _SAMPLED_ROWS)
    numbers = [0, *([] if embedded.unknown is None else [embedded.unknown]), *indices[::step]]
    rows = b"".join(embedded.exact[int(number)] for number in numbers)
    return VectorTexts(
        head.length, np.frombuffer(rows, "<f4").reshape(len(numbers), head.dimension), head.masked
    )
