"""The network: convolutions of several widths, the maximum of each, and dense layers. Needs Keras.

Y. Kim, Convolutional Neural Networks for Sentence Classification (2014). A maximum over positions
does not depend on how many of them are padding, so batches of any width train the network of one
length.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from controller.model_train.recipe import Recipe

__all__ = ["EMBEDDING", "SCORES", "Pool", "maximum", "plain_network", "training_network"]

EMBEDDING, SCORES = "embedding", "scores"
# From [texts, positions, channels], the indices of the words, and the name of what is pooled, to
# [texts, numbers].
Pool = Callable[[Any, Any, str], Any]


@keras.saving.register_keras_serializable("tox_com_det")
class WithoutPadding(keras.layers.Layer):  # type: ignore[misc]  # Keras has no type information
    """Sets the rows of the padding to zero, whatever the embedding learned for them."""

    def call(self, rows: Any, indices: Any) -> Any:
        given = keras.ops.cast(keras.ops.not_equal(indices, 0), rows.dtype)
        return rows * keras.ops.expand_dims(given, -1)


def maximum(x: Any, _indices: Any, name: str) -> Any:
    """The highest number of each channel."""
    return keras.layers.GlobalMaxPooling1D(name=f"maximum_{name}")(x)


def training_network(
    recipe: Recipe, rows: NDArray[np.float32], labels: int, pool: Pool = maximum
) -> Any:
    """The network as it is trained: texts of any length in, logits out.

    Args:
        rows: of the embedding at the start, float32 [words, dimension].
        pool: another one than the maximum, to compare; what `plain_network` saves has the maximum.
    """
    layers = keras.layers
    indices = layers.Input((None,), dtype="int32", name="indices")
    embedding = layers.Embedding(*rows.shape, name=EMBEDDING)
    x = WithoutPadding(name="without_padding")(embedding(indices), indices)
    x = layers.SpatialDropout1D(recipe.drop_channels, name="drop_channels")(x)
    logits = layers.Dense(labels, name=SCORES)(_trunk(recipe, x, indices, pool))
    network = keras.Model(indices, logits, name="training")
    embedding.set_weights([rows])
    return network


def plain_network(recipe: Recipe, rows: NDArray[np.float32], labels: int) -> Any:
    """The network as it is saved: sequences of one length in, scores out, without dropout."""
    layers = keras.layers
    indices = layers.Input((recipe.length,), dtype="int32", name="indices")
    embedding = layers.Embedding(*rows.shape, name=EMBEDDING)
    trunk = _trunk(recipe, embedding(indices), indices, dropout=False)
    scores = layers.Dense(labels, activation="sigmoid", name=SCORES)(trunk)
    network = keras.Model(indices, scores, name="toxic_comment_detector")
    embedding.set_weights([rows])
    return network


def _trunk(recipe: Recipe, x: Any, indices: Any, pool: Pool = maximum, dropout: bool = True) -> Any:
    """The layers between the word vectors and the scores."""
    layers = keras.layers
    pooled = []
    for width in recipe.widths:
        kernels = layers.Conv1D(
            recipe.kernels, width, padding="same", activation="relu", name=f"kernels_{width}"
        )
        pooled.append(pool(kernels(x), indices, str(width)))
    if recipe.gru:
        gru = layers.GRU(recipe.gru, return_sequences=True, name="gru")
        both_ways = layers.Bidirectional(gru, name="both_ways")
        pooled.append(pool(both_ways(x), indices, "gru"))
    x = layers.Concatenate(name="maxima")(pooled) if len(pooled) > 1 else pooled[0]
    if dropout:
        x = layers.Dropout(recipe.drop_units, name="drop_maxima")(x)
    x = layers.Dense(recipe.units, activation="relu", name="dense")(x)
    return layers.Dropout(recipe.drop_units, name="drop_units")(x) if dropout else x
