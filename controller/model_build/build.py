"""Build a bundle: the steps in order, and the directory put in place at once."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnx
import onnxruntime

from controller.model_build import __version__, stamp
from controller.model_build.dead_positions import (
    IndexTexts,
    Texts,
    VectorTexts,
    find_dead_positions,
    warning,
)
from controller.model_build.dump import DATABASE, check_room, write_dump
from controller.model_build.embedding import Rows, Vocabulary, as_float16, open_rows, vocabulary
from controller.model_build.errors import BuildError
from controller.model_build.graph import whole_number
from controller.model_build.head import Head, build_head, check_layers, stated_length, with_metadata
from controller.model_build.keras_file import KerasModel, open_model
from controller.model_build.known_answer_texts import DEFAULT_TEXTS
from controller.model_build.known_answers import Reference, known_answers, read_reference
from controller.model_build.place import check_replaceable, replacing
from controller.model_build.scoring import TextScorer, open_session
from controller.model_build.settings import (
    Settings,
    agree,
    how_to_give,
    make_settings,
    read_settings,
)
from controller.model_build.word_index import WordIndex, read_word_index
from controller.progress import megabytes, step_progress
from tox_com_det.model.manifest import FORMAT_VERSION, HEAD_FILE, Manifest, content_version

SETTINGS_FILE, REFERENCE_FILE, MANIFEST_FILE = "model.json", "reference.json", "manifest.json"
_PROBED_ROWS = 256

Say = Callable[[str], None]


@dataclass(frozen=True)
class BuildResult:
    """A bundle in place. `unchanged`: it was there already, made of the same inputs."""

    bundle: Path
    manifest: Manifest
    unchanged: bool
    warnings: tuple[str, ...]


def build(
    h5: str | Path,
    word_index: str | Path,
    out: str | Path,
    *,
    settings: str | Path | None = None,
    reference: str | Path | None = None,
    architecture: str | Path | None = None,
    force: bool = False,
    say: Say = print,
    **overrides: Any,
) -> BuildResult:
    """Build the bundle of a Keras model in directory `out`.

    Equal inputs give equal bytes. Nothing half-written is left after an error or an interrupt;
    a previous bundle stays in place until the new one is whole.

    Args:
        h5: Keras model: `.h5`, `.keras`, or an `.h5` of weights alone.
        word_index: in one of the forms of `read_word_index`.
        settings: JSON with what the `.h5` does not say; default: `model.json` beside the `.h5`
            if there is one.
        architecture: JSON of `model.to_json()`, for an `.h5` of weights alone.
        reference: Keras' scores; default: `reference.json` beside the `.h5` if there is one.
        force: build even if the bundle is there already.
        say: takes one line at a time of what is going on.
        overrides: fields of `Settings` (labels, num_words, length, padding, truncating, name,
            embedding_name, mode, dtype, ...); None means not given; labels may be one text with
            commas.

    Raises:
        BuildError: with one line for the user; `UnsupportedLayer` is one of them.
    """
    h5, word_index, out = Path(h5), Path(word_index), Path(out)
    try:
        return _build(
            h5,
            word_index,
            out,
            settings,
            reference,
            Path(architecture) if architecture is not None else None,
            force,
            say,
            overrides,
        )
    except OSError as error:
        reason = " ".join((error.strerror or str(error)).split())
        raise BuildError(f"{error.filename or out}: {reason}: nothing was changed") from error


def _build(
    h5: Path,
    word_index: Path,
    out: Path,
    settings: str | Path | None,
    reference: str | Path | None,
    architecture: Path | None,
    force: bool,
    say: Say,
    overrides: Mapping[str, Any],
) -> BuildResult:
    check_replaceable(out)
    index = read_word_index(word_index)
    settings_path = _given_or_beside(settings, h5, SETTINGS_FILE)
    reference_path = _given_or_beside(reference, h5, REFERENCE_FILE)
    given = (
        read_settings(settings_path) if settings_path else {},
        {key: value for key, value in overrides.items() if value is not None},
    )
    agree(str(word_index), index.settings, *given)
    chosen = make_settings(str(settings_path or "options"), index.settings, *given)
    with open_model(h5, architecture) as model:
        tools = _tools(model)
        files = {
            "h5": h5,
            "word_index": word_index,
            "reference": reference_path,
            "architecture": architecture,
        }
        made_of = stamp.inputs(files, chosen, tools)
        if not force and stamp.is_current(out, made_of):
            manifest = Manifest.load(out / MANIFEST_FILE)
            say(f"{out}: unchanged, model {manifest.model_version}")
            return BuildResult(out, manifest, True, _warnings(manifest))
        for path, what in ((settings_path, "settings"), (reference_path, "Keras' scores")):
            if path:
                say(f"{what} from {path}")
        check_layers(model.network)
        words = _words(model, index, chosen)
        del index  # with its 400,000 words it is as large as everything else together
        with replacing(out) as work:
            manifest = _write(work, model, words, chosen, reference_path, tools, say)
            stamp.write_stamp(work, made_of)
        warnings = _warnings(manifest)
    for line in warnings:
        say(f"warning: {line}")
    say(f"{out}: built model {manifest.model_version} ({manifest.name})")
    return BuildResult(out, manifest, False, warnings)


def _write(
    work: Path,
    model: KerasModel,
    words: _Words,
    settings: Settings,
    reference_path: Path | None,
    tools: Mapping[str, str],
    say: Say,
) -> Manifest:
    """Write every file of the bundle into `work`; the quick checks come before the long dump."""
    length, chosen, oov = _length(model, settings), words.chosen, words.oov
    reachable = int(max(chosen.indices.max(), oov or 0)) + 1
    head = build_head(model, length, mode=settings.mode, rows=reachable)
    labels = _labels(model, settings, head.labels)
    dtype = "index" if settings.mode == "whole" else settings.dtype
    row_bytes = {"index": 4, "float16": 2 * head.dimension, "float32": 4 * head.dimension}[dtype]
    say(f"{model.path}: {_layers_in_words(model, head)}")
    for line in (*_rows_in_words(head, chosen, settings), _mode_in_words(head, len(chosen))):
        say(line)
    check_room(work, len(chosen), row_bytes)

    with open_rows(head.matrix, model.path, work, model.offset) as rows:
        stored = _StoredRows(rows, dtype)
        special = {number: stored[number] for number in (0, *([oov] if oov else []))}
        reference = read_reference(reference_path, head.labels) if reference_path else None
        answers = _answers(head, settings, length, rows, stored, chosen, special, reference, say)
        dead = find_dead_positions(
            open_session(head.probe.SerializeToString()), _texts(head, rows, chosen), length
        )
        with step_progress("word vectors", len(chosen), say) as step:
            documents = (
                (word, number, None if dtype == "index" else stored[number])
                for word, number in chosen
            )
            dump = write_dump(work / "dump", settings.embedding_name, documents, step)
    what = "word indices" if dtype == "index" else f"word vectors ({dtype})"
    say(f"{dump.count} {what}, {megabytes(dump.bytes)}, collection {dump.collection}")

    file = with_metadata(head.proto, dump.checksum, labels, length)
    (work / HEAD_FILE).write_bytes(file)
    content = {
        "format_version": FORMAT_VERSION,
        "name": settings.name,
        "files": {HEAD_FILE: {"sha256": hashlib.sha256(file).hexdigest(), "bytes": len(file)}},
        "labels": list(labels),
        "sequence": {
            "length": length,
            "padding": settings.padding,
            "truncating": settings.truncating,
        },
        "tokenizer": {
            "num_words": settings.num_words or None,
            "filters": settings.filters,
            "lower": settings.lower,
            "split": settings.split,
            "char_level": settings.char_level,
            "oov_token": settings.oov_token,
        },
        "embedding": {
            "database": DATABASE,
            "collection": dump.collection,
            "count": dump.count,
            "dimension": 1 if dtype == "index" else head.dimension,
            "dtype": dtype,
            "checksum": dump.checksum,
            "special_rows": {
                str(number): base64.b64encode(row).decode("ascii")
                for number, row in special.items()
            },
        },
        "golden_outputs": answers,
        "architecture": model.architecture,
        "dead_positions": dead,
        "built_with": dict(tools),
    }
    content["model_version"] = content_version(content)
    manifest = Manifest.from_dict(content)
    (work / MANIFEST_FILE).write_text(
        json.dumps(manifest.to_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return manifest


@dataclass(frozen=True)
class _Words:
    """What can be asked for, and the row of the out-of-vocabulary token if there is one."""

    chosen: Vocabulary
    oov: int | None


def _words(model: KerasModel, index: WordIndex, settings: Settings) -> _Words:
    rows = _embedding_rows(model)
    oov = _oov_index(index, settings)
    return _Words(vocabulary(index, settings.tokenizer(), rows), oov)


class _StoredRows:
    """Rows as they are stored: vectors, rounded to float16 or not, or the index itself."""

    def __init__(self, rows: Rows, dtype: str) -> None:
        self._rows, self._dtype = rows, dtype

    def __getitem__(self, index: int) -> bytes:
        if self._dtype == "index":
            return struct.pack("<i", index)
        row = self._rows[index]
        return row if self._dtype == "float32" else as_float16(row, f"row {index}")


def _answers(
    head: Head,
    settings: Settings,
    length: int,
    rows: Rows,
    stored: _StoredRows,
    chosen: Vocabulary,
    special: Mapping[int, bytes],
    reference: Reference | None,
    say: Say,
) -> dict[str, Any]:
    """The known answers with the rows as they are stored, after a look at the exact ones."""
    rules = settings.tokenizer()
    scorer = TextScorer(
        rules,
        length,
        settings.padding,
        settings.truncating,
        padding_row=special[0],
        unknown_row=next((row for key, row in special.items() if key), None),
        dtype="index" if settings.mode == "whole" else settings.dtype,
        masked=head.masked,
    )
    texts = list(
        dict.fromkeys([*DEFAULT_TEXTS, *settings.texts, *(reference.scores if reference else ())])
    )
    needed = {token for text in texts for token in rules.tokens(text)}
    numbers = {word: number for word, number in chosen if word in needed}
    session = open_session(head.proto.SerializeToString())
    kept = {word: stored[number] for word, number in numbers.items()}
    if settings.dtype == "float32":
        answers = known_answers(session, scorer, kept, texts, reference)
    else:
        exact = replace(
            scorer,
            dtype="float32",
            padding_row=rows[0],
            unknown_row=next((rows[key] for key in special if key), None),
        )
        whole = {word: rows[number] for word, number in numbers.items()}
        before = known_answers(session, exact, whole, texts, reference)
        answers = known_answers(session, scorer, kept, texts, reference, allowed=1.0)
        difference = np.abs(
            np.subtract(*([case["scores"] for case in one["cases"]] for one in (answers, before)))
        ).max()
        say(f"float16 vectors change a score of the known answers by at most {difference:.1e}")
    if reference:
        _say_reference(answers, reference.keras, say)
    return answers


def _texts(head: Head, rows: Rows, chosen: Vocabulary) -> Texts:
    if head.mode == "whole":
        return IndexTexts(head.length, chosen.indices)
    spread = _spread(rows, chosen)
    return VectorTexts(head.length, head.dimension, spread, head.masked)


def _given_or_beside(given: str | Path | None, h5: Path, name: str) -> Path | None:
    beside = h5.with_name(name)
    return Path(given) if given is not None else beside if beside.is_file() else None


def _tools(model: KerasModel) -> dict[str, str]:
    return {
        "model_build": __version__,
        "onnx": onnx.__version__,
        "numpy": np.__version__,
        "h5py": h5py.__version__,
        "onnxruntime": onnxruntime.__version__,
        "keras_of_file": model.keras_version,
    }


def _length(model: KerasModel, settings: Settings) -> int:
    stated = stated_length(model)
    if stated is None and settings.length is None:
        raise BuildError(
            f"{model.path}: the model leaves the sequence length open: give the maxlen of "
            f"pad_sequences, {how_to_give('length')}"
        )
    if None not in (stated, settings.length) and stated != settings.length:
        raise BuildError(
            f"length is {settings.length}, the model in {model.path} takes {stated} tokens: "
            f"give {how_to_give('length', stated)}"
        )
    return stated or settings.length


def _embedding_rows(model: KerasModel) -> int:
    """Rows that every Embedding has, by its configuration."""
    rows = [
        whole_number(layer, "input_dim")
        for layer in model.network.leaves()
        if layer.class_name == "Embedding"
    ]
    if not rows:
        raise next(model.network.leaves()).unsupported(
            "no Embedding follows; the first layer must be one, it is what turns words into numbers"
        )
    return min(rows)


def _labels(model: KerasModel, settings: Settings, size: int) -> tuple[str, ...]:
    if not settings.labels:
        raise BuildError(
            f"{model.path}: the model gives {size} scores and a .h5 does not name them: "
            f"give {size} names, {how_to_give('labels', 'toxic,insult,...')}"
        )
    if len(settings.labels) != size:
        raise BuildError(
            f"{len(settings.labels)} labels {list(settings.labels)}, but the model in "
            f"{model.path} gives {size} scores: give {size} names, {how_to_give('labels')}"
        )
    return settings.labels


def _layers_in_words(model: KerasModel, head: Head) -> str:
    names = " -> ".join(
        layer.class_name
        for layer in model.network.leaves()
        if layer.class_name not in ("InputLayer", "NotEqual")
    )
    return (
        f"{names}; matrix of {head.rows} x {head.dimension}, written by Keras "
        f"{model.keras_version}" + ("; padding is masked" if head.masked else "")
    )


def _rows_in_words(head: Head, chosen: Vocabulary, settings: Settings) -> Iterator[str]:
    if chosen.unreachable:
        yield (
            f"{chosen.unreachable} words of the index are cut off by num_words="
            f"{settings.num_words} and left out"
        )
    if chosen.unused_rows > 0:
        yield (
            f"{chosen.unused_rows} of {head.rows} rows of the matrix belong to no word that can "
            "be asked for and are left out"
        )


def _mode_in_words(head: Head, words: int) -> str:
    size = len(head.proto.SerializeToString())
    matrix = words * head.dimension * 4
    if head.mode == "whole":
        return (
            "mode whole: MongoDB gives the indices only, the head holds the matrix: "
            f"{megabytes(size)} in each worker; mode split would hold "
            f"{megabytes(max(0, size - matrix))} and read vectors as they are needed"
        )
    return (
        f"mode split: the head takes {megabytes(size)} in each worker, {megabytes(matrix)} of "
        f"vectors stay in MongoDB; mode whole would hold {megabytes(size + matrix)} in each worker"
    )


def _oov_index(index: WordIndex, settings: Settings) -> int | None:
    """The row of the out-of-vocabulary token."""
    if settings.oov_token is None:
        return None
    row = index.get(settings.oov_token)
    if row is None or not settings.tokenizer().reachable(row):
        raise BuildError(
            f"oov_token {settings.oov_token!r} is not in the word index below num_words: "
            "give the word index of the same tokenizer"
        )
    return row


def _spread(rows: Rows, chosen: Vocabulary) -> float:
    """Standard deviation of the embedding's numbers, over a sample of its rows."""
    step = max(1, len(chosen) // _PROBED_ROWS)
    sample = b"".join(rows[int(index)] for index in chosen.indices[::step])
    return float(np.frombuffer(sample, "<f4").astype(np.float64).std())


def _say_reference(answers: Mapping[str, Any], keras: str, say: Say) -> None:
    compared = sum(case["reference"] is not None for case in answers["cases"])
    if compared:
        largest = answers["reference_max_difference"]
        say(f"{compared} texts scored as by Keras {keras}, largest difference {largest:.1e}")


def _warnings(manifest: Manifest) -> tuple[str, ...]:
    sequence = manifest.sequence
    line = warning(manifest.dead_positions, sequence.length, sequence.padding)
    return () if line is None else (line,)
