"""Make an ordinary Keras model of a trained network, with the whole vocabulary. Needs Keras."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from controller.model_train.calibration import Scaling, fold
from controller.model_train.encoding import fixed, indices_of, tokens_of, windows_of
from controller.model_train.half import halve
from controller.model_train.network import EMBEDDING, SCORES, plain_network
from controller.model_train.recipe import Recipe
from controller.model_train.vocabulary import Vocabulary

__all__ = ["keras_version", "learned_rows", "plain_model", "save", "score"]

_BATCH = 256


def keras_version() -> str:
    """Version of Keras."""
    return str(keras.__version__)


def learned_rows(network: Any, vocabulary: Vocabulary) -> Vocabulary:
    """The vocabulary with the rows that the network learned.

    Rows that the comments cannot reach stay those of the word vectors.
    """
    rows = vocabulary.rows.copy()
    rows[1 : vocabulary.learned] = network.get_layer(EMBEDDING).get_weights()[0][1:]
    return replace(vocabulary, rows=rows)


def plain_model(network: Any, vocabulary: Vocabulary, scaling: Scaling, recipe: Recipe) -> Any:
    """The trained network for sequences of one length, with calibrated scores.

    Args:
        vocabulary: see `learned_rows`.
    """
    model = plain_network(recipe, vocabulary.rows, len(scaling.slopes))
    for layer in model.layers:
        if layer.name == SCORES:
            kernel, bias = network.get_layer(SCORES).get_weights()
            layer.set_weights(list(fold(kernel, bias, scaling)))
        elif layer.name != EMBEDDING and layer.weights:
            layer.set_weights(network.get_layer(layer.name).get_weights())
    return model


def score(
    model: Any, texts: list[str], vocabulary: Vocabulary, recipe: Recipe
) -> NDArray[np.float32]:
    """Keras' own scores of texts, float32 [texts, labels]: the highest of a text's windows."""
    indices = indices_of(tokens_of(recipe, texts), vocabulary.word_index())
    parts = [(row, part) for row, text in enumerate(indices) for part in windows_of(text, recipe)]
    sequences = fixed([part for _, part in parts], recipe)
    found = [
        np.asarray(model(sequences[start : start + _BATCH], training=False))
        for start in range(0, len(sequences), _BATCH)
    ]
    scores = np.zeros((len(texts), model.output_shape[-1]), np.float32)
    np.maximum.at(scores, [row for row, _ in parts], np.concatenate(found))
    return scores


def save(model: Any, path: Path, half: bool) -> None:
    """Write the model in Keras' legacy format, without an optimizer; whole or not at all.

    Args:
        half: write the embedding as float16, which its numbers must fit into; Keras reads it as
            float32.
    """
    work = path.with_name(f".{path.name}")
    # Keras warns that the format is old. It is the one that needs no other program to be read.
    logging.getLogger("absl").setLevel(logging.ERROR)
    try:
        model.save(work.with_suffix(".h5"), include_optimizer=False)
        if half:
            halve(work.with_suffix(".h5"))
        work.with_suffix(".h5").replace(path)
    finally:
        work.with_suffix(".h5").unlink(missing_ok=True)
