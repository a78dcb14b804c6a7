"""Fit a network to comments, with or without tweets, and measure it by ROC-AUC."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from sample_model.corpus import LABELS, TWEET_LABELS, UNLABELLED
from sample_model.network import Network, masked_loss

BATCH = 64
PATIENCE = 5
# What becomes of the tweets: left out, learned first, or learned together with the comments.
VARIANTS = ("none", "pretrain", "joint")


class Examples(NamedTuple):
    """Word indices, int32 [texts, LENGTH], and their targets."""

    tokens: NDArray[np.int32]
    targets: NDArray[np.float32]


def roc_auc(target: NDArray[np.float32], score: NDArray[np.float32]) -> float:
    """Area under the ROC curve by ranks, with ties counted half (Mann-Whitney U)."""
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]
    positives = int((target > 0).sum())
    negatives = len(target) - positives
    if not positives or not negatives:
        return float("nan")
    above = ranks[target > 0].sum() - positives * (positives + 1) / 2.0
    return float(above / (positives * negatives))


def label_aucs(targets: NDArray[np.float32], scores: NDArray[np.float32]) -> dict[str, float]:
    """ROC-AUC of each label."""
    return {label: roc_auc(targets[:, i], scores[:, i]) for i, label in enumerate(LABELS)}


class BestOnValidation(keras.callbacks.Callback):
    """Keeps the weights with the best mean validation ROC-AUC, and stops when it stalls."""

    def __init__(self, validation: Examples) -> None:
        super().__init__()
        self._validation = validation
        self.best, self._weights, self._epoch = -1.0, None, 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measure the epoch."""
        scores = self.model.predict(self._validation.tokens, batch_size=256, verbose=0)
        mean = float(np.nanmean(list(label_aucs(self._validation.targets, scores).values())))
        loss = (logs or {})["loss"]
        print(f"  epoch {epoch + 1}: loss {loss:.4f}, validation AUC {mean:.4f}", flush=True)
        if mean > self.best:
            self.best, self._weights, self._epoch = mean, self.model.get_weights(), epoch
        elif epoch - self._epoch >= PATIENCE:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Restore the best weights."""
        self.model.set_weights(self._weights)


def train(
    variant: str,
    glove: NDArray[np.float32],
    comments: Examples,
    tweets: Examples | None,
    validation: Examples,
    seed: int,
) -> tuple[Network, float]:
    """Train one variant.

    Args:
        variant: one of VARIANTS; all but "none" need the tweets.
        glove: GloVe rows, NaN where there are none.

    Returns:
        The network at its best epoch, and its validation AUC (mean of the six labels).

    Raises:
        ValueError: the variant needs tweets.
    """
    keras.utils.set_random_seed(seed)
    network = Network(glove, seed)
    positives = comments.targets.mean(axis=0)
    weights = np.sqrt((1.0 - positives) / positives).clip(1.0, 8.0)
    loss = masked_loss(np.concatenate([weights, np.ones(len(TWEET_LABELS))]))
    comment_targets = _wide(comments.targets, tweets=False)

    def fit(
        tokens: NDArray[np.int32],
        targets: NDArray[np.float32],
        rate: float,
        epochs: int,
        **more: Any,
    ) -> None:
        # The rate decays to zero, so that the last epochs settle.
        steps = epochs * -(-len(tokens) // BATCH)
        schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
        network.model.compile(keras.optimizers.Adam(schedule), loss=loss)
        network.model.fit(tokens, targets, batch_size=BATCH, epochs=epochs, verbose=0, **more)

    best = BestOnValidation(validation)
    if variant == "none":
        fit(comments.tokens, comment_targets, 1e-3, 25, callbacks=[best])
        return network, best.best
    if tweets is None:
        raise ValueError(f"variant {variant} needs tweets")
    tweet_targets = _wide(tweets.targets, tweets=True)
    if variant == "joint":
        # Comments three times as often: they are few, and their labels are those of the model.
        tokens = np.concatenate([comments.tokens] * 3 + [tweets.tokens])
        targets = np.concatenate([comment_targets] * 3 + [tweet_targets])
        fit(tokens, targets, 1e-3, 8, callbacks=[best])
    else:
        fit(tweets.tokens, tweet_targets, 1e-3, 2)
        fit(comments.tokens, comment_targets, 1e-3, 25, callbacks=[best])
    return network, best.best


def _wide(targets: NDArray[np.float32], *, tweets: bool) -> NDArray[np.float32]:
    """Targets in the eight columns of the trained graph: six of Jigsaw, two of the tweets."""
    columns = np.full((len(targets), len(LABELS) + len(TWEET_LABELS)), UNLABELLED, np.float32)
    if tweets:
        columns[:, len(LABELS) :] = targets
    else:
        columns[:, : len(LABELS)] = targets
    return columns
