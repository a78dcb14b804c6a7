"""Say of a Keras model, or of its architecture, whether it fits, and what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py

from controller.model_build.beside import find_beside, other_architectures
from controller.model_build.errors import BuildError
from controller.model_build.input_files import WORD_INDEX_FILE
from controller.model_build.inspect_network import Inspected, inspect_network
from controller.model_build.inspect_report import Report, without_path
from controller.model_build.inspect_words import about_words, language_question, words_that_differ
from controller.model_build.keras_file import has_architecture, open_model
from controller.model_build.keras_model import KerasModel
from controller.model_build.kinds import Kind
from controller.model_build.numbered_weights import numbered_layers
from controller.model_build.origins import MODEL, TOKENIZER, Origins, origins_of, summary
from controller.model_build.settings import Settings, agree, make_settings, read_settings
from controller.model_build.text_vectorization import has_vectorization, words_in_model
from controller.model_build.unknown_words import oov_question
from controller.model_build.weights import names_in
from controller.model_build.without_weights import WithoutWeights, read_without_weights
from controller.model_build.word_index import WordIndex, read_word_index
from controller.progress import megabytes

_SHOWN_GROUPS = 8


def inspect_model(
    path: Path, kind: Kind, word_index: Path | None, architecture: Path | None
) -> Report:
    """A model with its weights, or an `.h5` with weights only."""
    beside = find_beside(path)
    given = architecture
    if not has_architecture(path) and architecture is None:
        architecture = beside.architecture
        if architecture is None:
            return _weights_only(path)
    report = Report(f"{kind.name}, {megabytes(path.stat().st_size)}", list(beside.notes))
    try:
        with open_model(path, architecture) as model:
            report.what += f": a Keras model with its weights, saved by Keras {model.keras_version}"
            if architecture is not None:
                report.lines.append(f"architecture: {architecture}")
            _about(report, path, model, word_index, given)
    except BuildError as error:
        report.what += ": a Keras model"
        report.obstacles.append(without_path(error, path))
    return report


def inspect_architecture(path: Path, word_index: Path | None) -> Report:
    """The JSON of `model.to_json()` alone."""
    report = Report("a Keras architecture without weights")
    try:
        model = read_without_weights(path)
    except BuildError as error:
        report.obstacles.append(without_path(error, path))
        return report
    version = "3" if model.is_keras_3 else "2"
    known = model.keras_version != "unknown"
    report.what += f", of Keras {model.keras_version if known else version}"
    _about(report, path, model, word_index, None)
    if report.fits:
        report.lines.append("to add: its weights, an .h5 of model.save_weights()")
    return report


def _weights_only(path: Path) -> Report:
    with h5py.File(path, "r") as file:
        held = file.get("model_weights")
        group = held if isinstance(held, h5py.Group) else file
        names = names_in(group, "layer_names") or numbered_layers(group)
    shown = ", ".join(names[:_SHOWN_GROUPS]) + (" ..." if len(names) > _SHOWN_GROUPS else "")
    others = [one.name for one in other_architectures(path)]
    hint = f" (is {others[0]} one?)" if others else ""
    return Report(
        f"an HDF5 file, {megabytes(path.stat().st_size)}: weights of Keras without the layers",
        [f"weights of: {shown or 'nothing'}"],
        ["the file does not say which layers it has"],
        f"write model.to_json() to a file where the model was trained{hint}, then fab "
        f"inspect-model {_quoted(path)} --architecture THAT_FILE",
    )


def _word_index_beside(path: Path, model: KerasModel, report: Report) -> Path | None:
    """The word index that a build would find, which is not read if the model holds its words."""
    beside = path.parent / WORD_INDEX_FILE
    if not beside.is_file():
        return None
    if has_vectorization(model):
        report.lines.append(f"{beside} is not read: the model holds its words")
        return None
    return beside


def _about(
    report: Report,
    path: Path,
    model: KerasModel,
    word_index: Path | None,
    architecture: Path | None,
) -> None:
    """Add what the model is, with its words where there are any."""
    words = word_index or _word_index_beside(path, model, report)
    own: WordIndex | None = None
    readable = True
    try:
        own = words_in_model(model)
        if own is not None and words is not None:
            report.obstacles.append(
                f"the model's TextVectorization holds its words: leave out --word-index {words}"
            )
        index = own or (read_word_index(words) if words is not None else None)
        settings, origins, file = _settings(path, words, index)
        if own is not None:
            origins = origins.with_origin(MODEL, *own.settings)
    except BuildError as error:
        report.obstacles.append(without_path(error, path))
        index, settings, origins, file = None, Settings(), Origins(), None
        readable = False
    network = inspect_network(model, settings)
    report.lines += network.lines
    report.obstacles += network.obstacles
    length = network.length or settings.length
    if network.length is not None:
        origins = origins.with_origin(MODEL, "length")
    oov: str | None = None
    language: str | None = None
    if index is not None:
        where = path if own is not None or words is None else words
        held = "in the model, a TextVectorization" if own is not None else where
        report.lines += [f"word index: {held}", *about_words(index)]
        if network.rows is not None:
            report.obstacles += words_that_differ(index, settings, origins, network.rows, where)
        oov = oov_question(index, settings, origins)
        if network.rows is not None and not report.obstacles:
            language = language_question(index, settings, network.rows)
    if file is not None:
        report.lines.append(f"settings: {file}")
    if network.scores is not None and readable:  # else nothing is assumed
        stated = summary(settings, origins, length)
        report.lines += [f"assumed or stated: {line}" for line in stated]
        asked = [one for one in (oov, language) if one]
        report.lines += [f"to state: {one}" for one in _to_state(network, settings, origins, asked)]
    if report.fits:
        given = None if own is not None else str(words) if words is not None else "WORD_INDEX"
        command = _command(path, architecture, given, model, network, settings, origins)
        said = " --oov-token TOKEN" if oov else ""
        report.next = f"{command}{said}{' --languages LANGUAGES' if language else ''}"


def _settings(
    path: Path, words: Path | None, index: WordIndex | None
) -> tuple[Settings, Origins, Path | None]:
    """The settings as a build would have them, without options."""
    file = find_beside(path).settings
    own: Mapping[str, Any] = read_settings(file) if file is not None else {}
    stated = index.settings if index is not None else {}
    agree(str(words or path), stated, dict(own), in_model=words is None)
    settings = make_settings(str(file or path), stated, dict(own))
    origins = origins_of(stated, own, {})
    if settings.length is None and index is not None and index.length is not None:
        settings = replace(settings, length=index.length)
        origins = origins.with_origin(TOKENIZER, "length")
    return settings, origins, file


def _to_state(
    found: Inspected, settings: Settings, origins: Origins, asked: Sequence[str]
) -> list[str]:
    """What somebody has to state before a build, one line each."""
    lines = list(asked)
    if found.scores is not None and not settings.labels:
        scores = "score" if found.scores == 1 else f"{found.scores} scores"
        lines.append(f"what its {scores} mean{'s' if found.scores == 1 else ''}, --labels")
    if found.length is None and settings.length is None:
        lines.append("its sequence length, the maxlen of pad_sequences, --length")
    if origins.assumed("padding") and found.padding_matters is not False:
        matters = "its scores depend on it" if found.padding_matters else "most models depend on it"
        lines.append(f"the side of the padding, --padding pre or --padding post: {matters}")
    return lines


def _command(
    path: Path,
    architecture: Path | None,
    words: str | None,
    model: KerasModel,
    found: Inspected,
    settings: Settings,
    origins: Origins,
) -> str:
    """The command that builds; what only the author knows is in capitals.

    Args:
        words: the word index, None where the model holds its words.
    """
    parts = ["fab build-model"]
    is_json = isinstance(model, WithoutWeights)
    parts.append(f"--h5 {'WEIGHTS.h5' if is_json else _quoted(path)}")
    if is_json or architecture is not None:
        parts.append(f"--architecture {_quoted(path if is_json else architecture)}")
    if words is not None:
        parts.append(f"--word-index {shlex.quote(words)}")
    if found.scores is not None and not settings.labels:
        parts.append("--labels " + ",".join(f"LABEL_{one + 1}" for one in range(found.scores)))
    if found.length is None and settings.length is None:
        parts.append("--length LENGTH")
    if found.mode is not None and found.mode != settings.mode:
        parts.append(f"--mode {found.mode}")
    if origins.assumed("padding") and found.padding_matters is not False:
        parts.append("--padding PRE_OR_POST")
    return " ".join(parts)


def _quoted(path: Path | None) -> str:
    return shlex.quote(str(path))
