"""The network: convolutions of several widths, the maximum of each, and dense layers. Needs Keras.

Y. Kim, Convolutional Neural Networks for Sentence Classification (2014). A maximum over positions
does not depend on how many of them are padding, so batches of any width train the network of one
length.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from controller.model_train.recipe import Recipe

__all__ = ["EMBEDDING", "SCORES", "plain_network", "training_network"]

EMBEDDING, SCORES = "embedding", "scores"


@keras.saving.register_keras_serializable("tox_com_det")
class WithoutPadding(keras.layers.Layer):  # type: ignore[misc]  # Keras has no type information
    """Sets the rows of the padding to zero, whatever the embedding learned for them."""

    def call(self, rows: Any, indices: Any) -> Any:
        given = keras.ops.cast(keras.ops.not_equal(indices, 0), rows.dtype)
        return rows * keras.ops.expand_dims(given, -1)


def training_network(recipe: Recipe, rows: NDArray[np.float32], labels: int) -> Any:
    """The network as it is trained: texts of any length in, logits out.

    Args:
        rows: of the embedding at the start, float32 [words, dimension].
    """
    layers = keras.layers
    indices = layers.Input((None,), dtype="int32", name="indices")
    embedding = layers.Embedding(*rows.shape, name=EMBEDDING)
    x = WithoutPadding(name="without_padding")(embedding(indices), indices)
    x = layers.SpatialDropout1D(recipe.drop_channels, name="drop_channels")(x)
    logits = layers.Dense(labels, name=SCORES)(_trunk(recipe, x))
    network = keras.Model(indices, logits, name="training")
    embedding.set_weights([rows])
    return network


def plain_network(recipe: Recipe, rows: NDArray[np.float32], labels: int) -> Any:
    """The network as it is saved: sequences of one length in, scores out, without dropout."""
    layers = keras.layers
    indices = layers.Input((recipe.length,), dtype="int32", name="indices")
    embedding = layers.Embedding(*rows.shape, name=EMBEDDING)
    trunk = _trunk(recipe, embedding(indices), dropout=False)
    scores = layers.Dense(labels, activation="sigmoid", name=SCORES)(trunk)
    network = keras.Model(indices, scores, name="toxic_comment_detector")
    embedding.set_weights([rows])
    return network


def _trunk(recipe: Recipe, x: Any, dropout: bool = True) -> Any:
    """The layers between the word vectors and the scores."""
    layers = keras.layers
    pooled = [
        layers.GlobalMaxPooling1D(name=f"maximum_{width}")(
            layers.Conv1D(
                recipe.kernels, width, padding="same", activation="relu", name=f"kernels_{width}"
            )(x)
        )
        for width in recipe.widths
    ]
    if recipe.gru:
        gru = layers.GRU(recipe.gru, return_sequences=True, name="gru")
        pooled.append(
            layers.GlobalMaxPooling1D(name="maximum_gru")(
                layers.Bidirectional(gru, name="both_ways")(x)
            )
        )
    x = layers.Concatenate(name="maxima")(pooled) if len(pooled) > 1 else pooled[0]
    if dropout:
        x = layers.Dropout(recipe.drop_units, name="drop_maxima")(x)
    x = layers.Dense(recipe.units, activation="relu", name="dense")(x)
    return layers.Dropout(recipe.drop_units, name="drop_units")(x) if dropout else x
