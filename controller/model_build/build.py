"""Build a bundle: check the inputs, write the files, and replace the previous bundle as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnx
import onnxruntime

from controller.model_build import __version__, stamp
from controller.model_build.bundle import Plan, write_bundle
from controller.model_build.card_figures import add_figures
from controller.model_build.consistency import check_ends, embedding_rows, unknown_word_row
from controller.model_build.convert import check_layers
from controller.model_build.describe import warnings_of
from controller.model_build.downloads import check_input
from controller.model_build.errors import BuildError, from_os_error
from controller.model_build.head import stated_length
from controller.model_build.input_files import InputFiles, input_files
from controller.model_build.keras_file import as_keras_writes, open_model
from controller.model_build.keras_model import KerasModel
from controller.model_build.options import given_options
from controller.model_build.origins import KEY, MODEL, TOKENIZER, Origins, origins_of
from controller.model_build.place import check_replaceable, replacing
from controller.model_build.plausibility import (
    Unusual,
    check_indices,
    check_source,
    check_words,
)
from controller.model_build.sample_scores import add_sample, read_sample
from controller.model_build.score_maps import keep_maps
from controller.model_build.segmentation import check_segmentation
from controller.model_build.settings import Settings, agree, make_settings, read_settings
from controller.model_build.start_tokens import check_imdb, start_token
from controller.model_build.text_vectorization import read_vectorization, vectorization_of
from controller.model_build.unknown_words import oov_question
from controller.model_build.unstated_rules import check_rules
from controller.model_build.vocabulary import vocabulary
from controller.model_build.word_index import WordIndex, read_word_index
from tox_com_det.model.bundle import MANIFEST_FILE
from tox_com_det.model.manifest import Manifest

Say = Callable[[str], None]


@dataclass(frozen=True)
class BuildResult:
    """A bundle in its place.

    Attributes:
        bundle: its directory.
        manifest: its manifest.
        unchanged: whether it was there already, built from the same inputs.
        warnings: warnings about the model, one line each.
    """

    bundle: Path
    manifest: Manifest
    unchanged: bool
    warnings: tuple[str, ...]


def build(
    h5: str | Path,
    word_index: str | Path | None,
    out: str | Path,
    *,
    settings: str | Path | None = None,
    reference: str | Path | None = None,
    architecture: str | Path | None = None,
    sample: str | Path | None = None,
    no_oov_token: bool = False,
    force: bool = False,
    accept_unusual: bool = False,
    say: Say = print,
    **overrides: Any,
) -> BuildResult:
    """Build the bundle of a Keras model in the directory `out`.

    Equal inputs give equal bytes. After an error or an interrupt nothing incomplete is left behind;
    a previous bundle stays in place until the new one is complete. Its score maps are kept if the
    model is the same.

    Args:
        h5: Keras model: `.h5`, `.keras`, or an `.h5` with weights only.
        word_index: the tokenizer's word index, in one of the forms of `read_word_index`; None for
            a model whose TextVectorization holds its words.
        out: directory of the bundle.
        settings: JSON with the settings of the build; default: `build_settings.json` beside the
            `.h5`, if it exists, else a `model.json` there that holds settings.
        reference: Keras' scores; default: `reference.json` beside the `.h5`, if it exists.
        architecture: JSON of `model.to_json()`, for an `.h5` with weights only; default: a
            `model.json` beside it that holds one.
        sample: comments, one per line or a CSV, whose distribution of scores the metrics tell.
        no_oov_token: the Tokenizer had no `oov_token`: unknown words are dropped.
        force: build even if the bundle is there already.
        accept_unusual: only warn of what `plausibility` finds.
        say: takes one line of output at a time.
        overrides: fields of `Settings` (labels, num_words, length, padding, truncating, name,
            embedding_name, mode, dtype, ...), which override those of the file; None means not
            given; labels may be one text with commas.

    Raises:
        BuildError: with one line for the user; `UnsupportedLayer` is one of them.
    """
    h5, out = Path(h5), Path(out)
    options = given_options(no_oov_token, overrides)
    try:
        check_input(h5, "--h5")
        files, notes = input_files(
            h5,
            Path(word_index) if word_index is not None else None,
            settings,
            reference,
            architecture,
            sample,
        )
        for note in notes:
            say(note)
        return _build(files, out, options, force, Unusual(accept_unusual, say))
    except OSError as error:
        raise from_os_error(error, out) from error


def _build(
    files: InputFiles, out: Path, options: Mapping[str, Any], force: bool, unusual: Unusual
) -> BuildResult:
    say = unusual.say
    check_replaceable(out)
    files.check()
    texts = read_sample(files.sample) if files.sample is not None else []
    index, words_in = _word_index(files)
    settings, origins = _settings(files, index, words_in, options)
    with open_model(files.h5, files.architecture) as model:
        tools = _tools(model)
        settings, origins = _with_length(model, index, settings, origins)
        built_from = stamp.inputs(
            files.to_hash(), settings, origins.stated, tools, unusual.accepted
        )
        if not force and stamp.is_current(out, built_from):
            manifest = Manifest.load(out / MANIFEST_FILE)
            say(f"settings: {manifest.built_with.get(KEY, 'not recorded')}")
            say(f"{out}: unchanged, model {manifest.model_version}")
            return BuildResult(out, manifest, True, warnings_of(manifest))
        for path, what in ((files.settings, "settings"), (files.reference, "Keras scores")):
            if path:
                say(f"{what} from {path}")
        with as_keras_writes(files.h5):
            check_ends(model)
            check_layers(model.network)
            if vectorization_of(model) and files.word_index:
                raise BuildError(
                    f"{files.h5}: the model's TextVectorization holds its words, but "
                    f"{files.word_index} was given too: leave out --word-index"
                )
            rows, rules = embedding_rows(model), settings.tokenizer()
        unknown = unknown_word_row(index, settings)
        check_source(index, settings, words_in, unusual)
        check_imdb(index, words_in, unusual)
        check_words(index, rules, words_in, unusual)
        check_rules(index, settings, origins, words_in, unusual)
        check_segmentation(index, settings, words_in, unusual)
        chosen = vocabulary(index, rules, rows)
        check_indices(index, rules, rows, unusual)
        asked = oov_question(index, settings, origins)
        questions, start = (asked,) if asked else (), start_token(index)
        del index  # with 400,000 words as large as everything else together
        plan = Plan(
            *(model, chosen, unknown, settings, origins, questions, files.reference, tools),
            *(unusual, start),
        )
        with replacing(out) as work:
            manifest = write_bundle(work, plan, say)
            if files.figures is not None:
                manifest = add_figures(work, manifest, files.figures)
            manifest = keep_maps(out, work, manifest, say)
            if files.sample is not None:
                manifest = add_sample(work, manifest, texts, say)
            stamp.write_stamp(work, built_from)
    for line in warnings_of(manifest):
        say(f"warning: {line}")
    say(f"{out}: built model {manifest.model_version} ({manifest.name})")
    return BuildResult(out, manifest, False, warnings_of(manifest))


def _word_index(files: InputFiles) -> tuple[WordIndex, str]:
    """The words of the model, and the file that holds them."""
    if files.word_index is None:
        with open_model(files.h5, files.architecture) as model, as_keras_writes(files.h5):
            # A model without an Embedding needs no words, and none would help.
            check_ends(model)
            embedding_rows(model)
        return read_vectorization(files.h5, files.architecture), str(files.h5)
    return read_word_index(files.word_index), str(files.word_index)


def _settings(
    files: InputFiles, index: WordIndex, words_in: str, options: Mapping[str, Any]
) -> tuple[Settings, Origins]:
    """The settings of the words' file, the settings file and the options, with origins."""
    file = read_settings(files.settings) if files.settings else {}
    given = (file, dict(options))
    agree(words_in, index.settings, *given, in_model=files.word_index is None)
    settings = make_settings(str(files.settings or "options"), index.settings, *given)
    origins = origins_of(index.settings, *given)
    if files.word_index is None:
        origins = origins.with_origin(MODEL, *index.settings)
    return settings, origins


def _with_length(
    model: KerasModel, index: WordIndex, settings: Settings, origins: Origins
) -> tuple[Settings, Origins]:
    """The settings, with the length beside the tokenizer where nothing else states one."""
    if index.length is None or settings.length is not None:
        return settings, origins
    with as_keras_writes(model.path):
        check_ends(model)
        if stated_length(model) is not None:
            return settings, origins
    return replace(settings, length=index.length), origins.with_origin(TOKENIZER, "length")


def _tools(model: KerasModel) -> dict[str, str]:
    return {
        "model_build": __version__,
        "onnx": onnx.__version__,
        "numpy": np.__version__,
        "h5py": h5py.__version__,
        "onnxruntime": onnxruntime.__version__,
        "keras_of_file": model.keras_version,
    }
