"""One step of training: loss over the labels that a text has, two rates. Needs TensorFlow."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from controller.model_train.network import EMBEDDING
from controller.model_train.recipe import Recipe

__all__ = ["Optimizing"]

_LEAST = 0.02  # of the highest rate, at the end
_AVERAGED = 8  # steps between two of the averaged weights


class Optimizing:
    """Adam for the network, and another one for its word vectors."""

    def __init__(self, network: Any, recipe: Recipe, steps: int) -> None:
        """`steps`: of all epochs together."""
        self._recipe, self._steps = recipe, steps
        self._network = network
        embedding = network.get_layer(EMBEDDING).trainable_variables
        own = {id(one) for one in embedding}
        self._variables = [
            [one for one in network.trainable_variables if id(one) not in own],
            embedding,
        ]
        self._optimizers = [keras.optimizers.Adam(recipe.rate) for _ in self._variables]
        for optimizer, variables in zip(self._optimizers, self._variables, strict=True):
            optimizer.build(variables)
        # The mean of the weights over the last thousand steps or so is better than the last ones.
        self._averages = [tf.Variable(one.value) for one in network.weights]
        self._average = tf.function(self._add, input_signature=[tf.TensorSpec([], tf.float32)])
        # None: one graph for batches of every width.
        shapes = [
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([None, network.output_shape[-1]], tf.float32),
            tf.TensorSpec([None], tf.float32),
        ]
        self._step = tf.function(self._update, input_signature=shapes)
        self.predict = tf.function(self._logits, input_signature=shapes[:1])

    @property
    def state(self) -> list[NDArray[Any]]:
        """The variables of both optimizers, and the means of the weights."""
        return [np.array(one) for one in self._kept()]

    @state.setter
    def state(self, values: list[NDArray[Any]]) -> None:
        for variable, value in zip(self._kept(), values, strict=True):
            variable.assign(value)

    @property
    def averages(self) -> list[NDArray[np.float32]]:
        """The means of the weights, in the order of `network.get_weights()`."""
        return [one.numpy() for one in self._averages]

    def step(
        self,
        number: int,
        epoch: int,
        indices: NDArray[np.int32],
        targets: NDArray[np.float32],
        weights: NDArray[np.float32],
    ) -> Any:
        """Train on a batch; returns its loss, a tensor.

        Args:
            number: of the step, counted from 0 over all epochs.
            targets: NaN where a text is not labelled.
        """
        rate = self._rate(number)
        frozen = epoch < self._recipe.frozen_epochs
        self._optimizers[0].learning_rate = rate
        self._optimizers[1].learning_rate = 0.0 if frozen else rate * self._recipe.embedding_rate
        loss = self._step(indices, targets, weights)
        done = number + 1
        if done % _AVERAGED == 0:
            # At the start, of the steps so far.
            kept = min(self._recipe.average**_AVERAGED, (1 + done) / (20 + done))
            self._average(kept)
        return loss

    def _kept(self) -> list[Any]:
        return [*(one for each in self._optimizers for one in each.variables), *self._averages]

    def _add(self, kept: Any) -> None:
        for mean, weight in zip(self._averages, self._network.weights, strict=True):
            mean.assign(kept * mean + (1.0 - kept) * weight)

    def _rate(self, number: int) -> float:
        warm_up = min(self._recipe.warm_up, self._steps // 5)
        if number < warm_up:
            return self._recipe.rate * (number + 1) / warm_up
        done = (number - warm_up) / max(1, self._steps - warm_up)
        return self._recipe.rate * max(_LEAST, (1 + math.cos(math.pi * done)) / 2)

    def _logits(self, indices: Any) -> Any:
        return self._network(indices, training=False)

    def _update(self, indices: Any, targets: Any, weights: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = self._network(indices, training=True)
            given = tf.cast(tf.math.is_finite(targets), tf.float32) * weights[:, None]
            known = tf.where(tf.math.is_finite(targets), targets, 0.0)
            terms = tf.nn.sigmoid_cross_entropy_with_logits(labels=known, logits=logits)
            loss = tf.reduce_sum(terms * given) / tf.maximum(tf.reduce_sum(given), 1e-6)
        gradients = tape.gradient(loss, self._variables)
        for optimizer, gradient, variables in zip(
            self._optimizers, gradients, self._variables, strict=True
        ):
            optimizer.apply(gradient, variables)
        return loss
