"""Say of a Keras model whether it can be built: its layers, its scores, what is in the way."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from controller.model_build.architecture import Network
from controller.model_build.consistency import TRIAL_LENGTH, check_ends, embedding_rows
from controller.model_build.convert import check_layer
from controller.model_build.errors import BuildError, UnsupportedLayer
from controller.model_build.golden_outputs import Embedded
from controller.model_build.graph import Mode
from controller.model_build.head import Head, build_head, stated_length
from controller.model_build.inspect_report import without_path
from controller.model_build.keras_file import as_keras_writes
from controller.model_build.keras_model import KerasModel
from controller.model_build.plausibility import Noted, check_trained
from controller.model_build.rows import StoredRows, open_rows
from controller.model_build.settings import Settings
from controller.model_build.sides import padding_difference
from controller.model_build.vocabulary import Vocabulary
from controller.model_build.without_weights import WithoutWeights


@dataclass
class Inspected:
    """What a model is.

    Attributes:
        lines: about its layers and scores.
        obstacles: what is in the way of a build, one line each.
        length: the sequence length that the file states.
        scores: number of scores, None where the model cannot be converted.
        rows: rows of the embedding's matrix, None without one.
        mode: in which it can be built, None where the model cannot be converted.
        padding_matters: whether the side of the padding moves its scores; None without weights.
    """

    lines: list[str] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)
    length: int | None = None
    scores: int | None = None
    rows: int | None = None
    padding_matters: bool | None = None
    mode: Mode | None = None


def inspect_network(model: KerasModel, settings: Settings) -> Inspected:
    """Try everything that a build does with a model before it reads a word.

    Args:
        settings: as far as they are known; the length is used where the model states none.
    """
    found = Inspected()
    leaves = [one for one in model.network.leaves() if one.class_name != "InputLayer"]
    shown = " -> ".join(layer.class_name for layer in leaves if layer.class_name != "NotEqual")
    found.lines.append(f"layers: {shown or 'none'}")
    found.obstacles += _unsupported(model.network)
    try:
        with as_keras_writes(model.path):
            check_ends(model)
            if not found.obstacles or not any(_reads_words(layer.class_name) for layer in leaves):
                found.rows = embedding_rows(model)
            found.length = stated_length(model)
            if not found.obstacles:
                length = found.length or settings.length or TRIAL_LENGTH
                _convert(model, length, settings, found)
    except BuildError as error:
        found.obstacles.append(without_path(error, model.path))
    except OSError as error:
        found.obstacles.append(f"its weights cannot be read ({error}): copy the file again")
    return found


def _convert(model: KerasModel, length: int, settings: Settings, found: Inspected) -> None:
    head = _head(model, length, settings)
    found.mode = head.mode
    found.scores = head.labels
    found.lines.append(
        f"embedding: {head.rows} rows of {head.dimension} numbers"
        f"{'; padding is masked' if head.masked else ''}"
    )
    found.lines.append(f"scores: {head.labels}")
    if isinstance(model, WithoutWeights):
        return
    check_trained(model, Noted(found.obstacles.append))
    if head.mode == "split":
        found.padding_matters = _padding_matters(model, head, settings)


def _head(model: KerasModel, length: int, settings: Settings) -> Head:
    """The head in the mode of the settings, or in the only one in which the model can be built."""
    try:
        return build_head(model, length, mode=settings.mode)
    except UnsupportedLayer:
        try:
            return build_head(model, length, mode="whole" if settings.mode == "split" else "split")
        except UnsupportedLayer:
            pass
        raise


def _padding_matters(model: KerasModel, head: Head, settings: Settings) -> bool:
    everything = Vocabulary(b"", np.empty(0, np.int64), np.arange(1, max(2, head.rows)), 0, 0)
    with (
        tempfile.TemporaryDirectory() as scratch,
        open_rows(head.matrix, model.path, Path(scratch), model.offset) as rows,
    ):
        embedded = Embedded(everything, rows, StoredRows(rows, "float32"), None)
        return padding_difference(head, settings, embedded) is not None


def _reads_words(class_name: str) -> bool:
    """Whether a layer could be what an Embedding is: one of another name, or what comes before."""
    return any(part in class_name.lower() for part in ("embedding", "vectorization", "bert"))


def _unsupported(network: Network) -> Iterator[str]:
    """Every layer that is not converted, not only the first one."""
    for layer in network.leaves():
        try:
            check_layer(layer)
        except UnsupportedLayer as error:
            yield without_path(error, Path())
