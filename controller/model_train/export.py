"""Make an ordinary Keras model of a trained network, with the whole vocabulary. Needs Keras."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from controller.model_train.calibration import Scaling, fold
from controller.model_train.encoding import fixed, indices_of, tokens_of
from controller.model_train.network import EMBEDDING, SCORES, plain_network
from controller.model_train.recipe import Recipe
from controller.model_train.vocabulary import Vocabulary

__all__ = ["keras_version", "plain_model", "save", "score"]

_BATCH = 256


def keras_version() -> str:
    """Version of Keras."""
    return str(keras.__version__)


def plain_model(network: Any, vocabulary: Vocabulary, scaling: Scaling, recipe: Recipe) -> Any:
    """The trained network for sequences of one length, with calibrated scores.

    Rows that the comments cannot reach are those of the word vectors.
    """
    rows = vocabulary.rows.copy()
    rows[1 : vocabulary.learned] = network.get_layer(EMBEDDING).get_weights()[0][1:]
    model = plain_network(recipe, rows, len(scaling.slopes))
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
    """Keras' own scores of texts, float32 [texts, labels]."""
    indices = indices_of(tokens_of(recipe, texts), vocabulary.word_index())
    sequences = fixed(indices, recipe)
    found = [
        np.asarray(model(sequences[start : start + _BATCH], training=False))
        for start in range(0, len(sequences), _BATCH)
    ]
    return np.concatenate(found)


def save(model: Any, path: Path) -> None:
    """Write the model in Keras' legacy format, without an optimizer; whole or not at all."""
    work = path.with_name(f".{path.name}")
    # Keras warns that the format is old. It is the one that needs no other program to be read.
    logging.getLogger("absl").setLevel(logging.ERROR)
    try:
        model.save(work.with_suffix(".h5"), include_optimizer=False)
        work.with_suffix(".h5").replace(path)
    finally:
        work.with_suffix(".h5").unlink(missing_ok=True)
