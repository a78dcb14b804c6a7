"""Build a bundle: the steps in order, and the directory put in place at once."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnx
import onnxruntime

from model_build import __version__, stamp
from model_build.dead_positions import find_dead_positions, warning
from model_build.dump import DATABASE, Dump, write_dump
from model_build.embedding import Rows, Split, Vocabulary, open_rows, split_model, vocabulary
from model_build.errors import BuildError
from model_build.head import build_head, with_metadata
from model_build.keras_h5 import KerasModel, open_model
from model_build.known_answer_texts import DEFAULT_TEXTS
from model_build.known_answers import known_answers, read_reference
from model_build.place import check_replaceable, replacing
from model_build.progress import progress
from model_build.scoring import TextScorer, open_session
from model_build.settings import Settings, how_to_give, make_settings, read_settings
from model_build.word_index import WordIndex, read_word_index
from tox_com_det.manifest import FORMAT_VERSION, HEAD_FILE, Manifest, content_version

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
    force: bool = False,
    say: Say = print,
    **overrides: Any,
) -> BuildResult:
    """Build the bundle of a Keras model in directory `out`.

    Equal inputs give equal bytes. Nothing half-written is left after an error or an interrupt;
    a previous bundle stays in place until the new one is whole.

    Args:
        h5: Keras model, legacy HDF5 form.
        word_index: `{word: index}` or `tokenizer.to_json()`.
        settings: JSON with what the `.h5` does not say; default: `model.json` beside the `.h5`
            if there is one.
        reference: Keras' scores; default: `reference.json` beside the `.h5` if there is one.
        force: build even if the bundle is there already.
        say: takes one line at a time of what is going on.
        overrides: fields of `Settings` (labels, num_words, length, padding, truncating, name,
            embedding_name, ...); None means not given; labels may be one text with commas.

    Raises:
        BuildError: with one line for the user; `UnsupportedLayer` is one of them.
    """
    h5, word_index, out = Path(h5), Path(word_index), Path(out)
    try:
        return _build(h5, word_index, out, settings, reference, force, say, overrides)
    except OSError as error:
        reason = " ".join((error.strerror or str(error)).split())
        raise BuildError(f"{error.filename or out}: {reason}: nothing was changed") from error


def _build(
    h5: Path,
    word_index: Path,
    out: Path,
    settings: str | Path | None,
    reference: str | Path | None,
    force: bool,
    say: Say,
    overrides: Mapping[str, Any],
) -> BuildResult:
    check_replaceable(out)
    index = read_word_index(word_index)
    settings_path = _given_or_beside(settings, h5, SETTINGS_FILE)
    reference_path = _given_or_beside(reference, h5, REFERENCE_FILE)
    chosen = make_settings(
        str(settings_path or "options"),
        index.settings,
        read_settings(settings_path) if settings_path else {},
        {key: value for key, value in overrides.items() if value is not None},
    )
    with open_model(h5) as model:
        tools = _tools(model)
        files = {"h5": h5, "word_index": word_index, "reference": reference_path}
        made_of = stamp.inputs(files, chosen, tools)
        if not force and stamp.is_current(out, made_of):
            manifest = Manifest.load(out / MANIFEST_FILE)
            say(f"{out}: unchanged, model {manifest.model_version}")
            return BuildResult(out, manifest, True, _warnings(manifest))
        for path, what in ((settings_path, "settings"), (reference_path, "Keras' scores")):
            if path:
                say(f"{what} from {path}")
        with replacing(out) as work:
            manifest = _write(work, model, index, chosen, reference_path, tools, say)
            stamp.write_stamp(work, made_of)
        warnings = _warnings(manifest)
    for line in warnings:
        say(f"warning: {line}")
    say(f"{out}: built model {manifest.model_version} ({manifest.name})")
    return BuildResult(out, manifest, False, warnings)


def _write(
    work: Path,
    model: KerasModel,
    index: WordIndex,
    settings: Settings,
    reference_path: Path | None,
    tools: Mapping[str, str],
    say: Say,
) -> Manifest:
    """Write every file of the bundle into `work`; the quick checks come before the long dump."""
    split = split_model(model)
    length = _length(model, split, settings)
    head, size = build_head(model, split.rest, length, split.dimension)
    labels = _labels(model, settings, size)
    rules = settings.tokenizer()
    chosen = vocabulary(index.words, rules, split.rows)
    say(f"{model.path}: {_layers_in_words(split)}, written by Keras {model.keras_version}")
    for line in _rows_in_words(split, chosen, settings):
        say(line)

    with open_rows(split.matrix, model.path, work) as rows:
        special = _special_rows(rows, index, settings)
        scorer = TextScorer(
            rules,
            length,
            settings.padding,
            settings.truncating,
            padding_row=special[0],
            unknown_row=next((row for key, row in special.items() if key), None),
        )
        reference = read_reference(reference_path, size) if reference_path else None
        texts = dict.fromkeys(
            [*DEFAULT_TEXTS, *settings.texts, *(reference.scores if reference else ())]
        )
        needed = {token for text in texts for token in rules.tokens(text)}
        answers = known_answers(
            open_session(head.SerializeToString()),
            scorer,
            {word: rows[row] for word, row in chosen.words if word in needed},
            list(texts),
            reference,
        )
        if reference:
            _say_reference(answers, reference.keras, say)
        probe, _ = build_head(model, split.rest, length, split.dimension, logits=True)
        dead = find_dead_positions(
            open_session(probe.SerializeToString()), length, split.dimension, _spread(rows, chosen)
        )
        with progress("word vectors", len(chosen.words), say) as step:
            dump = write_dump(
                work / "dump", settings.embedding_name, _documents(rows, chosen), step
            )
    say(f"{dump.count} word vectors, {dump.bytes / 1e6:.1f} MB, collection {dump.collection}")

    file = with_metadata(head, dump.checksum, labels, length)
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
            "num_words": settings.num_words,
            "filters": settings.filters,
            "lower": settings.lower,
            "split": settings.split,
            "char_level": settings.char_level,
            "oov_token": settings.oov_token,
        },
        "embedding": _embedding(dump, split, special),
        "known_answers": answers,
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


def _length(model: KerasModel, split: Split, settings: Settings) -> int:
    if split.length is None and settings.length is None:
        raise BuildError(
            f"{model.path}: the model leaves the sequence length open: give the maxlen of "
            f"pad_sequences, {how_to_give('length')}"
        )
    if None not in (split.length, settings.length) and split.length != settings.length:
        raise BuildError(
            f"length is {settings.length}, the model in {model.path} takes {split.length} tokens: "
            f"give {how_to_give('length', split.length)}"
        )
    return split.length or settings.length


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


def _layers_in_words(split: Split) -> str:
    names = " -> ".join(layer.class_name for layer in (split.layer, *split.rest))
    return f"{names}; matrix of {split.rows} x {split.dimension}"


def _rows_in_words(split: Split, chosen: Vocabulary, settings: Settings) -> Iterator[str]:
    if chosen.unreachable:
        yield (
            f"{chosen.unreachable} words of the index are cut off by num_words="
            f"{settings.num_words} and left out"
        )
    if chosen.unused_rows > 0:
        yield (
            f"{chosen.unused_rows} of {split.rows} rows of the matrix belong to no word that can "
            "be asked for and are left out"
        )


def _special_rows(rows: Rows, index: WordIndex, settings: Settings) -> dict[int, bytes]:
    """Rows that belong to no word of a text: padding, and the out-of-vocabulary token's."""
    special = {0: rows[0]}
    if settings.oov_token is not None:
        row = index.words.get(settings.oov_token)
        if row is None or not settings.tokenizer().reachable(row):
            raise BuildError(
                f"oov_token {settings.oov_token!r} is not in the word index below num_words: "
                "give the word index of the same tokenizer"
            )
        special[row] = rows[row]
    return special


def _documents(rows: Rows, chosen: Vocabulary) -> Iterator[tuple[str, int, bytes]]:
    return ((word, index, rows[index]) for word, index in chosen.words)


def _spread(rows: Rows, chosen: Vocabulary) -> float:
    """Standard deviation of the embedding's numbers, over a sample of its rows."""
    step = max(1, len(chosen.words) // _PROBED_ROWS)
    sample = b"".join(rows[index] for _, index in chosen.words[::step])
    return float(np.frombuffer(sample, "<f4").astype(np.float64).std())


def _say_reference(answers: Mapping[str, Any], keras: str, say: Say) -> None:
    compared = sum(case["reference"] is not None for case in answers["cases"])
    if compared:
        largest = answers["reference_max_difference"]
        say(f"{compared} texts scored as by Keras {keras}, largest difference {largest:.1e}")


def _embedding(dump: Dump, split: Split, special: Mapping[int, bytes]) -> dict[str, Any]:
    return {
        "database": DATABASE,
        "collection": dump.collection,
        "count": dump.count,
        "dimension": split.dimension,
        "dtype": "float32",
        "checksum": dump.checksum,
        "special_rows": {
            str(index): base64.b64encode(row).decode("ascii") for index, row in special.items()
        },
    }


def _warnings(manifest: Manifest) -> tuple[str, ...]:
    sequence = manifest.sequence
    line = warning(manifest.dead_positions, sequence.length, sequence.padding)
    return () if line is None else (line,)
