"""Train the sample model: the article author's layers on a small public data set.

Needs TensorFlow/Keras 2.15 and is the only part of the project that does. From the repository:

    python3.11 -m venv /tmp/keras
    /tmp/keras/bin/pip install --require-hashes -r requirements/training.txt
    /tmp/keras/bin/python -m sample_model.train \
        --data jigsaw_train.csv --tweets labeled_data.csv --vectors glove.6B.50d.txt \
        --out sample_model

Writes toxic_comment_detector.h5 (legacy Keras form, no optimizer), word_index.json (the plain form
`{word: index}`), model.json (what the .h5 does not say), reference.json (Keras' own scores for the
known-answer texts) and metrics.json (ROC-AUC per label).

Every random choice hangs on `--seed`. The held-out split takes part in nothing: not in the word
index, not in training, not in early stopping, not in the choice between variants.
"""

from __future__ import annotations

import argparse
import csv
import html
import json
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from keras.preprocessing.sequence import pad_sequences
from keras.preprocessing.text import Tokenizer

from controller.model_build.golden_texts import DEFAULT_TEXTS

LABELS = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
TWEET_LABELS = ("offensive_or_hate", "hate")
LENGTH = 100
DIMENSION = 50
MAX_WORDS = 20_000
# A word of a single comment is noise to the network and may well be somebody's name.
MIN_COUNT = 2
UNLABELLED = -1.0
BATCH = 64
# Without them a text of no known word gets whatever score short texts have: toxic 0.56, measured.
EMPTY_TEXTS = 50
VARIANTS = ("none", "pretrain", "joint")

SOURCES = """public sources:
  --data     train.csv of the Jigsaw Toxic Comment Classification Challenge (or a part of it)
             https://www.kaggle.com/c/jigsaw-toxic-comment-classification-challenge/data
             labels CC0, comments (Wikipedia talk pages) CC BY-SA 3.0
  --tweets   labeled_data.csv of Davidson et al. 2017, MIT
             https://github.com/t-davidson/hate-speech-and-offensive-language/tree/master/data
  --vectors  glove.6B.50d.txt of Pennington et al. 2014, PDDL
             https://nlp.stanford.edu/projects/glove/
"""


@dataclass(frozen=True)
class Corpus:
    """Texts and their targets: float32 [texts, labels], -1 where nobody gave a label."""

    texts: list[str]
    targets: np.ndarray

    def take(self, rows: np.ndarray) -> Corpus:
        return Corpus([self.texts[row] for row in rows], self.targets[rows])


def read_comments(path: Path) -> Corpus:
    """Jigsaw comments with their six labels; a text that occurs twice is kept once."""
    rows: dict[str, list[float]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows.setdefault(row["comment_text"], [float(row[label]) for label in LABELS])
    return Corpus(list(rows), np.array(list(rows.values()), np.float32))


def read_tweets(path: Path) -> Corpus:
    """Davidson's tweets with (offensive or hate, hate); names and links become nothing.

    Handles are people, and "rt" or "http" would teach the network where a text comes from.
    """
    rows: dict[str, list[float]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            text = html.unescape(row["tweet"])
            text = re.sub(r"https?://\S+|@\w+|\bRT\b", " ", text)
            text = re.sub(r"\s+", " ", text).strip()
            rows.setdefault(text, [float(row["class"] != "2"), float(row["class"] == "0")])
    return Corpus(list(rows), np.array(list(rows.values()), np.float32))


def split(targets: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows for training (65 %), validation (15 %) and the never-seen split (20 %).

    Stratified by the rarest label that a row carries: of 19 threats each part must get some.
    """
    random = np.random.default_rng(seed)
    rarity = np.argsort(targets.sum(axis=0))
    stratum = np.full(len(targets), -1)
    for label in rarity[::-1]:
        stratum[targets[:, label] > 0] = label
    train, validation, test = [], [], []
    for value in np.unique(stratum):
        rows = random.permutation(np.flatnonzero(stratum == value))
        held, valid = round(0.20 * len(rows)), round(0.15 * len(rows))
        test.append(rows[:held])
        validation.append(rows[held : held + valid])
        train.append(rows[held + valid :])
    return tuple(np.sort(np.concatenate(part)) for part in (train, validation, test))


def fit_tokenizer(texts: Sequence[str]) -> Tokenizer:
    """Keras' Tokenizer on these texts, its index cut to words seen at least MIN_COUNT times."""
    tokenizer = Tokenizer()
    tokenizer.fit_on_texts(texts)
    words = [word for word in tokenizer.word_index if tokenizer.word_counts[word] >= MIN_COUNT]
    words = words[: MAX_WORDS - 1]
    tokenizer.num_words = len(words) + 1
    tokenizer.word_index = {word: index for index, word in enumerate(words, start=1)}
    return tokenizer


def read_vectors(path: Path, word_index: dict[str, int], rows: int) -> np.ndarray:
    """GloVe rows, float32 [rows, DIMENSION]; NaN where GloVe has no such word."""
    matrix = np.full((rows, DIMENSION), np.nan, np.float32)
    with path.open(encoding="utf-8") as file:
        for line in file:
            word, *numbers = line.rstrip("\n").split(" ")
            if word in word_index and len(numbers) == DIMENSION:
                matrix[word_index[word]] = np.array(numbers, np.float32)
    return matrix


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

    Training needs what the saved file must not hold: an embedding of which only some rows learn
    (GloVe + mask * learned), dropout, and two more outputs for the tweets' labels.
    """

    def __init__(self, glove: np.ndarray, seed: int) -> None:
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
        """The author's layers alone, with the weights as trained."""
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


def masked_loss(positive_weights: np.ndarray) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Binary cross-entropy over the labels that were given, rare positives weighted up."""
    weights = tf.constant(positive_weights, tf.float32)

    def loss(target: tf.Tensor, score: tf.Tensor) -> tf.Tensor:
        given = tf.cast(target >= 0.0, tf.float32)
        score = tf.clip_by_value(score, 1e-6, 1.0 - 1e-6)
        terms = weights * target * tf.math.log(score)
        terms += (1.0 - target) * tf.math.log(1.0 - score)
        return -tf.reduce_sum(given * terms, axis=-1) / tf.reduce_sum(given, axis=-1)

    return loss


def roc_auc(target: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve by ranks, ties counted half (Mann-Whitney U)."""
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]
    positives = int((target > 0).sum())
    negatives = len(target) - positives
    if not positives or not negatives:
        return float("nan")
    above = ranks[target > 0].sum() - positives * (positives + 1) / 2.0
    return float(above / (positives * negatives))


def label_aucs(targets: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    return {label: roc_auc(targets[:, i], scores[:, i]) for i, label in enumerate(LABELS)}


class BestOnValidation(keras.callbacks.Callback):
    """Keep the weights with the best mean ROC-AUC on the validation split; stop when it stalls."""

    def __init__(self, tokens: np.ndarray, targets: np.ndarray, patience: int) -> None:
        super().__init__()
        self._tokens, self._targets, self._patience = tokens, targets, patience
        self.best, self._weights, self._epoch = -1.0, None, 0

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        scores = self.model.predict(self._tokens, batch_size=256, verbose=0)
        mean = float(np.nanmean(list(label_aucs(self._targets, scores).values())))
        print(
            f"  epoch {epoch + 1}: loss {logs['loss']:.4f}, validation AUC {mean:.4f}", flush=True
        )
        if mean > self.best:
            self.best, self._weights, self._epoch = mean, self.model.get_weights(), epoch
        elif epoch - self._epoch >= self._patience:
            self.model.stop_training = True

    def on_train_end(self, logs: dict | None = None) -> None:
        self.model.set_weights(self._weights)


def wide(targets: np.ndarray, *, tweets: bool) -> np.ndarray:
    """Targets in the trained graph's eight columns: six of Jigsaw, two of the tweets."""
    columns = np.full((len(targets), len(LABELS) + len(TWEET_LABELS)), UNLABELLED, np.float32)
    columns[:, len(LABELS) :] = targets if tweets else UNLABELLED
    if not tweets:
        columns[:, : len(LABELS)] = targets
    return columns


def train(
    variant: str,
    glove: np.ndarray,
    comments: tuple[np.ndarray, np.ndarray],
    tweets: tuple[np.ndarray, np.ndarray] | None,
    validation: tuple[np.ndarray, np.ndarray],
    seed: int,
) -> tuple[Network, float]:
    """Train one variant; return the network at its best epoch and its validation AUC (mean of 6).

    Each pair is (tokens int32 [texts, LENGTH], targets). Variants: "none" leaves the tweets out,
    "pretrain" learns them first, "joint" learns both at once.
    """
    keras.utils.set_random_seed(seed)
    network = Network(glove, seed)
    positives = comments[1].mean(axis=0)
    weights = np.sqrt((1.0 - positives) / positives).clip(1.0, 8.0)
    loss = masked_loss(np.concatenate([weights, np.ones(len(TWEET_LABELS))]))
    comment_targets = wide(comments[1], tweets=False)

    def fit(tokens: np.ndarray, targets: np.ndarray, rate: float, epochs: int, **more) -> None:
        # Decaying to zero: the last epochs settle instead of jumping between batches.
        steps = epochs * -(-len(tokens) // BATCH)
        schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
        network.model.compile(keras.optimizers.Adam(schedule), loss=loss)
        network.model.fit(tokens, targets, batch_size=BATCH, epochs=epochs, verbose=0, **more)

    best = BestOnValidation(*validation, patience=5)
    if variant == "joint":
        # Comments three times as often: they are few, and they are what is asked for.
        tokens = np.concatenate([comments[0]] * 3 + [tweets[0]])
        targets = np.concatenate([comment_targets] * 3 + [wide(tweets[1], tweets=True)])
        fit(tokens, targets, 1e-3, 8, callbacks=[best])
    else:
        if variant == "pretrain":
            fit(tweets[0], wide(tweets[1], tweets=True), 1e-3, 2)
        fit(comments[0], comment_targets, 1e-3, 25, callbacks=[best])
    return network, best.best


def write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sample_model.train",
        description="Train the sample model (needs requirements/training.txt).",
        epilog=SOURCES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="Jigsaw comments (.csv)")
    parser.add_argument("--tweets", type=Path, help="Davidson's tweets (.csv)")
    parser.add_argument("--vectors", type=Path, required=True, help="GloVe text, 50 dimensions")
    parser.add_argument("--out", type=Path, required=True, help="directory for the results")
    parser.add_argument(
        "--variant",
        choices=(*VARIANTS, "best"),
        default="best",
        help="use of the tweets; best: train all, keep the best on validation (default)",
    )
    parser.add_argument("--seed", type=int, default=20190122)
    options = parser.parse_args(arguments)
    if options.tweets is None:
        if options.variant not in ("none", "best"):
            parser.error(f"--variant {options.variant} needs --tweets")
        options.variant = "none"
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse_arguments(arguments)
    started = time.monotonic()
    tf.config.experimental.enable_op_determinism()
    corpus = read_comments(options.data)
    train_rows, validation_rows, test_rows = split(corpus.targets, options.seed)
    comments, validation, test = map(corpus.take, (train_rows, validation_rows, test_rows))
    counts = comments.targets.sum(axis=0)
    comments = Corpus(
        comments.texts + [""] * EMPTY_TEXTS,
        np.concatenate([comments.targets, np.zeros((EMPTY_TEXTS, len(LABELS)), np.float32)]),
    )
    tweets = read_tweets(options.tweets) if options.tweets else None

    tokenizer = fit_tokenizer(comments.texts + (tweets.texts if tweets else []))

    def tokens(texts: Sequence[str]) -> np.ndarray:
        return pad_sequences(tokenizer.texts_to_sequences(texts), maxlen=LENGTH)

    glove = read_vectors(options.vectors, tokenizer.word_index, tokenizer.num_words)
    known = int(np.isfinite(glove[:, 0]).sum())
    print(
        f"{len(train_rows)} comments to train, {len(validation.texts)} to validate, "
        f"{len(test.texts)} held out; {len(tweets.texts) if tweets else 0} tweets; "
        f"{tokenizer.num_words - 1} words, {known} with GloVe rows"
    )
    results: dict[str, tuple[Network, float]] = {}
    for variant in VARIANTS if options.variant == "best" else [options.variant]:
        print(f"variant {variant}:", flush=True)
        results[variant] = train(
            variant,
            glove,
            (tokens(comments.texts), comments.targets),
            (tokens(tweets.texts), tweets.targets) if tweets else None,
            (tokens(validation.texts), validation.targets),
            options.seed,
        )
    chosen = max(results, key=lambda variant: results[variant][1])
    model = results[chosen][0].plain()

    options.out.mkdir(parents=True, exist_ok=True)
    model.save(options.out / "toxic_comment_detector.h5", save_format="h5", include_optimizer=False)
    write_json(options.out / "word_index.json", tokenizer.word_index)
    write_json(
        options.out / "model.json",
        {
            "name": "sample",
            "labels": LABELS,
            "num_words": tokenizer.num_words,
            "embedding_name": "sample50",
            "padding": "pre",
            "truncating": "pre",
        },
    )
    texts = list(DEFAULT_TEXTS)
    scores = model.predict(tokens(texts), verbose=0)
    write_json(
        options.out / "reference.json",
        {"keras": keras.__version__, "texts": texts, "scores": scores.astype(float).tolist()},
    )
    test_scores = model.predict(tokens(test.texts), verbose=0)
    aucs = label_aucs(test.targets, test_scores)
    metrics = {
        "variant": chosen,
        "validation_mean_auc": {name: result[1] for name, result in results.items()},
        "comments": {
            "training": len(train_rows),
            "validation": len(validation.texts),
            "held_out": len(test.texts),
        },
        "tweets": len(tweets.texts) if tweets else 0,
        "words": tokenizer.num_words - 1,
        "glove_rows": known,
        "positives_training": dict(zip(LABELS, map(int, counts), strict=True)),
        "positives_held_out": dict(zip(LABELS, map(int, test.targets.sum(0)), strict=True)),
        "held_out_auc": aucs,
        "held_out_mean_auc": float(np.nanmean(list(aucs.values()))),
        "seed": options.seed,
    }
    write_json(options.out / "metrics.json", metrics)
    print(json.dumps(metrics, indent=1))
    for text, row in zip(texts, scores, strict=True):
        print(" ".join(f"{score:.3f}" for score in row), text[:60])
    print(f"done in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
