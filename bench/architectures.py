"""Compare architectures and seeds for the sample model by cross-validation. Needs Keras.

`PYTHONPATH=app:server:. .venv-training/bin/python -m bench.architectures --data DIR --vectors FILE`

The natural training comments of the sample model (`sample_model.corpus`) are parted into folds.
Each network is trained on the labels of all other training comments and scores the fold, so that
each comment is scored by a network that has not seen it. Validation chooses the best epoch; the
held-out comments are not looked at. The table has the ROC-AUC over all folds, and the differences
to the first network, paired by comment, with the standard error of resampled comments. Each fold
that is done is kept in --out, so an interrupted comparison goes on, and with other data, vectors or
settings nothing of an earlier one is taken; two processes with other networks in --only can share
one --out.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.model_train.data import Comments
from controller.model_train.errors import TrainError
from controller.model_train.examples import every_word, make_examples
from controller.model_train.metrics import roc_auc
from controller.model_train.recipe import Recipe
from controller.model_train.split import Parts
from controller.model_train.vectors import WordVectors, load_vectors
from sample_model.corpus import LABELS, joined, part_sources, read_sources
from sample_model.train import RECIPE

Scores = NDArray[np.float32]

FOLDS, RESAMPLES = 3, 300
# The recipe of the sample model without its teacher, its pool and its changes of the tokens.
BASE = replace(RECIPE, name="labels alone", epochs=4, patience=4, drawn=0)


@dataclass(frozen=True)
class Network:
    """One row of the table.

    Attributes:
        pools: how the positions of each kernel become numbers.
        highest: of the pool `highest`, how many.
    """

    recipe: Recipe
    pools: tuple[str, ...] = ("maximum",)
    highest: int = 3


NETWORKS = {
    "today": Network(BASE),
    "today, another seed": Network(replace(BASE, seed=2)),
    "today, a third seed": Network(replace(BASE, seed=3)),
    "twice as many kernels": Network(replace(BASE, kernels=320)),
    "wider kernels": Network(replace(BASE, widths=(1, 2, 3, 5, 7, 9), kernels=107)),
    "maximum and mean": Network(BASE, ("maximum", "mean")),
    "the 3 highest": Network(BASE, ("highest",)),
    "GRU beside kernels": Network(replace(BASE, gru=64)),
    "GRU alone": Network(replace(BASE, widths=(), gru=64)),
}


def build(network: Network, rows: Scores, labels: int) -> Any:
    """The network that the sample model would be trained with, with other pools."""
    import keras

    from controller.model_train.network import training_network

    pools = pooling(network.highest)

    def pool(x: Any, indices: Any, name: str) -> Any:
        found = [pools[one](x, indices, name) for one in network.pools]
        return keras.layers.Concatenate(name=f"pools_{name}")(found) if found[1:] else found[0]

    return training_network(network.recipe, rows, labels, pool)


def pooling(highest: int) -> dict[str, Callable[[Any, Any, str], Any]]:
    """The pools by their names, each a `controller.model_train.network.Pool`."""
    import keras

    from controller.model_train.network import maximum

    ops = keras.ops

    class Mean(keras.layers.Layer):  # type: ignore[misc]  # Keras has no type information
        """Mean over the words of a text, without the padding."""

        def call(self, x: Any, indices: Any) -> Any:
            given = ops.expand_dims(ops.cast(ops.not_equal(indices, 0), x.dtype), -1)
            return ops.sum(x * given, axis=1) / ops.maximum(ops.sum(given, axis=1), 1.0)

    class Highest(keras.layers.Layer):  # type: ignore[misc]  # Keras has no type information
        """The highest numbers of each kernel (k-max pooling), without their order in the text."""

        def call(self, x: Any) -> Any:
            found, _ = ops.top_k(ops.transpose(x, (0, 2, 1)), highest)
            return ops.reshape(found, (-1, x.shape[2] * highest))

    return {
        "maximum": maximum,
        "mean": lambda x, indices, name: Mean(name=f"mean_{name}")(x, indices),
        "highest": lambda x, _, name: Highest(name=f"highest_{name}")(x),
    }


def fold_parts(parts: Parts, natural: Comments, fold: int, folds: int) -> tuple[Parts, Comments]:
    """Training without one fold of the natural comments, and this fold.

    Args:
        natural: all natural comments; those of them that train are parted, in an order of chance
            that is the same for each network.
    """
    training = parts.training
    texts = set(natural.texts)
    rows = np.flatnonzero([text in texts for text in training.texts])
    rows = np.random.default_rng(BASE.seed).permutation(rows)[fold::folds]
    kept = np.setdiff1d(np.arange(len(training)), rows)
    return replace(parts, training=training.take(kept)), training.take(np.sort(rows))


def score_fold(network: Network, parts: Parts, fold: Comments, vectors: WordVectors) -> Scores:
    """Train a network, and score the fold: logits, float32 [comments, labels]."""
    import keras
    import tensorflow as tf

    from controller.model_train.encoding import indices_of, tokens_of
    from controller.model_train.loop import Training
    from controller.model_train.state import State

    recipe = network.recipe
    keras.utils.set_random_seed(recipe.seed)
    tf.config.experimental.enable_op_determinism()
    examples = make_examples(parts, vectors, recipe)
    rows = examples.vocabulary.rows[: examples.vocabulary.learned]
    training = Training(build(network, rows, len(LABELS)), examples, recipe, State(""))
    with tempfile.TemporaryDirectory() as directory:
        training.run(Path(directory), _say)
    return training.logits(indices_of(tokens_of(recipe, fold.texts), examples.learned))


def score_all(options: argparse.Namespace) -> None:
    """Train what is asked for and not yet there; the table of all that is there. TrainError."""
    sources = read_sources(options.data)
    parts = part_sources(sources, BASE.seed)
    natural = joined([source.comments for source in sources if source.natural])
    vectors = load_vectors(
        options.vectors,
        every_word(parts, BASE),
        BASE.words,
        lambda word: BASE.rules().tokens(word) == [word],
        options.member,
        _say,
    )
    options.out.mkdir(parents=True, exist_ok=True)
    data = data_fingerprint(parts, vectors)
    folds = [fold_parts(parts, natural, number, FOLDS) for number in range(FOLDS)]
    for number, (rest, fold) in enumerate(folds):
        for name in options.only or NETWORKS:
            path = scores_path(options.out, data, name, number)
            if path.exists():
                continue
            _say(f"fold {number + 1} of {FOLDS}: {name}")
            scores = score_fold(NETWORKS[name], rest, fold, vectors)
            work = path.with_suffix(f".{os.getpid()}")
            with work.open("wb") as file:
                np.save(file, scores)
            work.replace(path)
    targets = np.concatenate([fold.targets for _, fold in folds])
    print_table(targets, read_scores(options.out, data))


def data_fingerprint(parts: Parts, vectors: WordVectors) -> str:
    """SHA-256 of everything that the networks are trained with, as hexadecimal digits."""
    pieces = ["\0".join(vectors.words).encode(), vectors.rows.tobytes()]
    for part in (parts.training, parts.validation):
        pieces += ["\0".join(part.texts).encode(), part.targets.tobytes()]
    return BASE.fingerprint(*pieces)


def scores_path(directory: Path, data: str, name: str, fold: int) -> Path:
    """Where the scores of a network on a fold are kept; `data`: the fingerprint of the data."""
    settings = hashlib.sha256(f"{NETWORKS[name]} {data}".encode()).hexdigest()[:12]
    return directory / f"{name.replace(', ', '-').replace(' ', '-')}-{fold + 1}-{settings}.npy"


def read_scores(directory: Path, data: str) -> dict[str, Scores]:
    """The scores of each network that has all folds, in the order of the folds."""
    found = {}
    for name in NETWORKS:
        paths = [scores_path(directory, data, name, fold) for fold in range(FOLDS)]
        if all(path.exists() for path in paths):
            found[name] = np.concatenate([np.load(path) for path in paths])
    return found


def print_table(targets: Scores, found: dict[str, Scores]) -> None:
    """ROC-AUC of each network, and the differences to the first one."""
    known = {name: aucs(targets, scores) for name, scores in found.items()}
    if not known:
        return
    random = np.random.default_rng(BASE.seed)
    size = len(targets)
    counts = [np.bincount(random.integers(0, size, size), minlength=size) for _ in range(RESAMPLES)]
    resampled = {
        name: np.array([aucs(targets, scores, one) for one in counts])
        for name, scores in found.items()
    }
    first = next(iter(known))
    print("| network | `toxic` | mean of the labels |\n|---|---|---|")
    for name, values in known.items():
        cells = [f"{value:.4f}" for value in values]
        if name != first:
            spread = (resampled[name] - resampled[first]).std(axis=0)
            difference = values - known[first]
            cells = [
                f"{cell} ({one:+.4f} ± {error:.4f})"
                for cell, one, error in zip(cells, difference, spread, strict=True)
            ]
        print(f"| {name} | {' | '.join(cells)} |")


def aucs(targets: Scores, scores: Scores, counts: Any = None) -> NDArray[np.float64]:
    """ROC-AUC of `toxic`, and the mean of all labels; `counts`: how often each comment counts."""
    found = []
    for target, score in zip(targets.T, scores.T, strict=True):
        given = ~np.isnan(target)
        weights = np.ones(given.sum()) if counts is None else counts[given].astype(float)
        found.append(roc_auc(target[given] > 0.5, score[given], weights))
    return np.array([found[0], np.mean(found)])


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.architectures", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--data", type=Path, required=True, help="directory of the comments")
    parser.add_argument("--vectors", type=Path, required=True, help="GloVe, 100 dimensions")
    parser.add_argument("--member", help="the file to read from a .zip that holds several")
    parser.add_argument(
        "--out", type=Path, default=Path("build/architectures"), help="default: %(default)s"
    )
    parser.add_argument("--only", action="append", choices=NETWORKS, help="may be repeated")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare; errors are one line. Returns the exit code."""
    try:
        score_all(parse_arguments(arguments))
    except TrainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: run it again, the folds that are done are kept", file=sys.stderr)
        return 130
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
