"""Train epoch by epoch until validation does not improve; what an interruption loses is one epoch.

Everything random in an epoch follows from the seed and the epoch's number, so a training that was
interrupted and goes on ends with the weights of one that was not. Needs Keras.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from controller.model_train.batches import Batch, batches, count, drop_words, scoring_batches
from controller.model_train.encoding import Indices
from controller.model_train.examples import Examples
from controller.model_train.metrics import mean_auc
from controller.model_train.optimizing import Optimizing
from controller.model_train.recipe import Recipe
from controller.model_train.state import Epoch, State, save_state
from controller.progress import step_progress

__all__ = ["Training"]

Say = Callable[[str], None]


class Training:
    """A network and the texts that it is trained on."""

    def __init__(self, network: Any, examples: Examples, recipe: Recipe, state: State) -> None:
        """Begin where `state` ended."""
        self.network = network
        self._examples, self._recipe, self._state = examples, recipe, state
        self._steps = count(examples.size(recipe), recipe)
        self._optimizing = Optimizing(network, recipe, self._steps * recipe.epochs)
        if state.epochs:
            network.set_weights(state.weights)
            self._optimizing.state = state.optimizers

    def run(self, directory: Path, say: Say) -> None:
        """Train to the end, and give the network the weights of its best epoch.

        The state in `directory` is that of the last whole epoch.
        """
        state, recipe = self._state, self._recipe
        while not state.finished(recipe.epochs, recipe.patience):
            number = len(state.epochs)
            epoch = self._epoch(number, say)
            state.epochs.append(epoch)
            state.weights = self.network.get_weights()
            state.optimizers = self._optimizing.state
            if state.best_epoch == number:
                state.best = self._optimizing.averages
            save_state(directory, state)
            left = (recipe.epochs - number - 1) * epoch.seconds / 60
            say(
                f"epoch {number + 1} of {recipe.epochs}: loss {epoch.loss:.4f}, validation AUC "
                f"{epoch.auc:.4f}, {epoch.seconds:.0f} s"
                + (f", at most {left:.1f} minutes left" if left else "")
            )
        if len(state.epochs) < recipe.epochs:
            say(f"stopped: no better validation AUC in {recipe.patience} epochs")
        self.network.set_weights(state.best)

    def logits(self, texts: list[Indices]) -> NDArray[np.float32]:
        """Logits of texts, float32 [texts, labels]: the highest of a text's windows."""
        labels = self.network.output_shape[-1]
        found = np.full((len(texts), labels), -np.inf, np.float32)
        for batch in scoring_batches(texts, self._recipe):
            logits = self._optimizing.predict(batch.indices).numpy()
            np.maximum.at(found, batch.rows, logits)
        return found

    def _epoch(self, number: int, say: Say) -> Epoch:
        begin = time.monotonic()
        random = np.random.default_rng([self._recipe.seed, number])
        _seed_dropout(self.network, self._recipe.seed, number)
        training = self._examples.training
        losses = []
        title = f"epoch {number + 1} of {self._recipe.epochs}, steps"
        with step_progress(title, self._steps, say) as progress:
            for step, batch in enumerate(self._batches(random)):
                losses.append(
                    self._optimizing.step(
                        number * self._steps + step,
                        number,
                        batch.indices,
                        training.targets[batch.rows],
                        training.weights[batch.rows],
                    )
                )
                progress(step + 1)
        auc = self._auc()
        loss = float(tf.reduce_mean(tf.stack(losses)))
        return Epoch(loss, auc, time.monotonic() - begin)

    def _auc(self) -> float:
        """The validation AUC of the averaged weights, mean of the labels."""
        validation = self._examples.validation
        last = self.network.get_weights()
        self.network.set_weights(self._optimizing.averages)
        found = mean_auc(validation.targets, self.logits(validation.indices))
        self.network.set_weights(last)
        return found

    def _batches(self, random: np.random.Generator) -> Iterator[Batch]:
        recipe = self._recipe
        rows = self._examples.rows(recipe, random)
        texts = [
            drop_words(random, text, recipe.drop_words)
            for text in self._examples.texts(rows, recipe, random)
        ]
        for batch in batches(texts, recipe, random):
            yield Batch(batch.indices, rows[batch.rows])


def _seed_dropout(network: Any, seed: int, epoch: int) -> None:
    """Begin the random numbers of each dropout layer anew, from the seed and the epoch."""
    for place, layer in enumerate(network.layers):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            numbers = np.random.SeedSequence([seed, epoch, place]).generate_state(2)
            generator.state.assign(numbers)
