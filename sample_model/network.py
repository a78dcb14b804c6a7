"""The layers of the article's author, and the graph in which they are trained."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sample_model.corpus import LABELS, TWEET_LABELS
from sample_model.words import DIMENSION, LENGTH


def author_layers() -> list[keras.layers.Layer]:
    """The layers between the embedding and the scores; 100 -> 20 -> 4 positions, none lost."""
    layers = keras.layers
    return [
        layers.Conv1D(128, 5, padding="same", activation="relu", name="conv1d"),
        layers.MaxPooling1D(5, padding="same", name="max_pooling1d"),
        layers.Conv1D(128, 5, padding="same", activation="relu", name="conv1d_1"),
        layers.MaxPooling1D(5, padding="same", name="max_pooling1d_1"),
        layers.Conv1D(128, 3, padding="same", activation="relu", name="conv1d_2"),
        layers.GlobalMaxPooling1D(name="global_max_pooling1d"),
        layers.Dense(128, activation="relu", name="dense"),
    ]


class Network:
    """The graph that is trained, and the plain one of the author's layers that is saved.

    Training needs what the saved file must not contain: an embedding of which only some rows learn
    (GloVe + mask * learned), dropout, and two more outputs for the tweets' labels.
    """

    def __init__(self, glove: NDArray[np.float32], seed: int) -> None:
        rows = len(glove)
        has_glove = np.isfinite(glove[:, 0])
        self._fixed = np.where(has_glove[:, None], glove, 0.0).astype(np.float32)
        self._mask = (~has_glove[:, None]).astype(np.float32)
        self._mask[0] = 0.0  # the padding row stays zero
        spread = float(self._fixed[has_glove].std()) if has_glove.any() else 0.3
        random = np.random.default_rng(seed)
        start = random.normal(0.0, spread / 2, glove.shape).astype(np.float32)

        layers = keras.layers
        tokens = layers.Input((LENGTH,), dtype="int32")
        frozen = {"trainable": False}
        fixed = layers.Embedding(rows, DIMENSION, weights=[self._fixed], **frozen)(tokens)
        mask = layers.Embedding(rows, 1, weights=[self._mask], **frozen)(tokens)
        self._learned = layers.Embedding(rows, DIMENSION, weights=[start])
        x = fixed + mask * self._learned(tokens)
        x = layers.SpatialDropout1D(0.2, seed=seed)(x)
        self._trunk = author_layers()
        for layer in self._trunk:
            x = layer(x)
        x = layers.Dropout(0.4, seed=seed)(x)
        self._scores = layers.Dense(len(LABELS), activation="sigmoid", name="dense_1")
        tweets = layers.Dense(len(TWEET_LABELS), activation="sigmoid", name="tweets")
        self.model = keras.Model(tokens, layers.Concatenate()([self._scores(x), tweets(x)]))

    def plain(self) -> keras.Sequential:
        """Only the author's layers, with the trained weights."""
        model = keras.Sequential(
            [
                keras.layers.Embedding(
                    len(self._fixed), DIMENSION, input_length=LENGTH, name="embedding"
                ),
                *author_layers(),
                keras.layers.Dense(len(LABELS), activation="sigmoid", name="dense_1"),
            ],
            name="toxic_comment_detector",
        )
        embedding = self._fixed + self._mask * self._learned.get_weights()[0]
        head = [w for layer in (*self._trunk, self._scores) for w in layer.get_weights()]
        model.set_weights([embedding, *head])
        return model


def masked_loss(
    positive_weights: NDArray[np.float64],
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Binary cross-entropy over the labels that a text has, with a higher weight of rare labels."""
    weights = tf.constant(positive_weights, tf.float32)

    def loss(target: tf.Tensor, score: tf.Tensor) -> tf.Tensor:
        given = tf.cast(target >= 0.0, tf.float32)
        score = tf.clip_by_value(score, 1e-6, 1.0 - 1e-6)
        terms = weights * target * tf.math.log(score)
        terms += (1.0 - target) * tf.math.log(1.0 - score)
        return -tf.reduce_sum(given * terms, axis=-1) / tf.reduce_sum(given, axis=-1)

    return loss
