"""Train a model from comments to the files that `fab build-model` reads. Needs Keras."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Other kernels are chosen by the processor, and add up in another order.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras
import numpy as np
import tensorflow as tf

from controller.model_build.golden_texts import DEFAULT_TEXTS
from controller.model_train import export, outputs
from controller.model_train.calibration import Scaling, fit
from controller.model_train.examples import Examples, MakePool, every_word, make_examples
from controller.model_train.half import rounded
from controller.model_train.loop import Training
from controller.model_train.network import training_network
from controller.model_train.recipe import Recipe
from controller.model_train.split import Parts
from controller.model_train.state import STATE_FILE, State, load_state
from controller.model_train.vectors import load_vectors
from controller.model_train.vocabulary import Vocabulary

__all__ = ["Job", "train"]

Say = Callable[[str], None]
# Scores that float16 may move, measured on so many validation comments.
_MOST_MOVED, _COMPARED = 1e-3, 2_000


@dataclass(frozen=True)
class Job:
    """What is trained, and where the result goes.

    Attributes:
        vectors, member: see `load_vectors`.
        out: directory of the model; made if it is missing.
        name: of the model, [a-z0-9_-].
        resume: go on with the training in `out`.
        texts: golden outputs in addition to the built-in ones.
        make_pool: makes `Parts.pool`.
        copies: more words with the rows of others, such as misspellings; in the order in which they
            are left out last.
        most_words: of the vocabulary with the copies.
    """

    parts: Parts
    labels: Sequence[str]
    vectors: Path
    out: Path
    member: str | None = None
    name: str = "model"
    languages: Sequence[str] = ("en",)
    resume: bool = False
    texts: Sequence[str] = ()
    make_pool: MakePool | None = None
    copies: Mapping[str, str] = field(default_factory=dict)
    most_words: int = 100_000


def train(job: Job, recipe: Recipe, say: Say = print) -> dict[str, Any]:
    """Train, calibrate and write a model; returns the figures of metrics.json.

    Raises:
        TrainError: see `check_directory`, `load_vectors`, `choose_words`, `load_state`.
        KeyboardInterrupt: the epochs that are done are kept for `resume`.
    """
    begin = time.monotonic()
    outputs.check_directory(job.out, job.resume)
    keras.utils.set_random_seed(recipe.seed)
    tf.config.experimental.enable_op_determinism()
    rules = recipe.rules()
    vectors = load_vectors(
        job.vectors,
        every_word(job.parts, recipe),
        recipe.words,
        lambda word: rules.tokens(word) == [word],
        job.member,
        say,
    )
    examples = make_examples(job.parts, vectors, recipe, job.make_pool)
    vocabulary = examples.vocabulary
    say(
        f"{examples.size(recipe)} comments for training, {len(examples.validation)} for "
        f"validation, {len(job.parts.held_out)} held out; {len(vocabulary.words)} words "
        f"({vocabulary.learned - 1} of them in the comments, {vocabulary.without_vector} without a "
        f"vector), {vectors.dimension} dimensions"
    )
    fingerprint = _fingerprint(job, recipe, examples)
    state = load_state(job.out, fingerprint) if job.resume else State(fingerprint)
    if state.epochs:
        say(f"going on after epoch {len(state.epochs)}")
    rows = vocabulary.rows[: vocabulary.learned]
    network = training_network(recipe, rows, len(job.labels))
    training = Training(network, examples, recipe, state)
    training.run(job.out, say)
    scaling = fit(training.logits(examples.calibration.indices), examples.calibration.targets)
    vocabulary = export.learned_rows(network, vocabulary)
    vocabulary = vocabulary.with_copies(job.copies, job.most_words)
    model, half = _stored(network, vocabulary, scaling, recipe, job.parts.validation.texts, say)
    texts = [*DEFAULT_TEXTS, *job.texts]
    outputs.write_words(job.out, vocabulary)
    outputs.write_settings(job.out, job.name, job.labels, job.languages, recipe)
    # Keras cuts long texts, and so do the scores that build-model compares with its own.
    scores = export.score(model, texts, vocabulary, replace(recipe, windows=1))
    outputs.write_reference(job.out, export.keras_version(), texts, scores)
    outputs.write_comments(job.out / outputs.HELD_OUT_FILE, job.parts.held_out, job.labels)
    export.save(model, job.out / outputs.H5_FILE, half)
    figures = {
        "recipe": recipe.settings(),
        "comments": {
            "training": len(job.parts.training),
            "an_epoch": examples.size(recipe),
            "validation": len(examples.validation),
            "held_out": len(job.parts.held_out),
        },
        "positives_training": {
            label: int(np.nansum(target > 0.5))
            for label, target in zip(job.labels, job.parts.training.targets.T, strict=True)
        },
        "words": len(vocabulary.words),
        "words_in_comments": vocabulary.learned - 1,
        "words_without_vector": vocabulary.without_vector,
        "epochs": [asdict(one) for one in state.epochs],
        "best_epoch": state.best_epoch + 1,
        "calibration": {
            label: {"slope": float(slope), "offset": float(offset)}
            for label, slope, offset in zip(job.labels, *scaling, strict=True)
        },
        "keras": export.keras_version(),
        "tensorflow": tf.__version__,
    }
    outputs.write_metrics(job.out, figures)
    (job.out / STATE_FILE).unlink(missing_ok=True)
    say(f"{job.out}: trained in {(time.monotonic() - begin) / 60:.1f} minutes")
    return figures


def _stored(
    network: Any,
    vocabulary: Vocabulary,
    scaling: Scaling,
    recipe: Recipe,
    texts: list[str],
    say: Say,
) -> tuple[Any, bool]:
    """The model as it is saved, and whether its embedding is: rounded, if no score tells."""
    model = export.plain_model(network, vocabulary, scaling, recipe)
    short = replace(vocabulary, rows=rounded(vocabulary.rows))
    smaller = export.plain_model(network, short, scaling, recipe)
    before, after = (
        export.score(one, texts[:_COMPARED], vocabulary, recipe) for one in (model, smaller)
    )
    moved = float(np.abs(before - after).max())
    if moved <= _MOST_MOVED:
        say(f"word vectors stored as float16: no score moves by more than {moved:.1e}")
        return smaller, True
    say(f"word vectors stored as float32: as float16, a score would move by {moved:.1e}")
    return model, False


def _fingerprint(job: Job, recipe: Recipe, examples: Examples) -> str:
    """What must be equal for a training to go on: everything that the weights follow from."""
    parts = [
        "\0".join(job.labels).encode(),
        examples.vocabulary.rows.tobytes(),
        "\0".join(examples.vocabulary.words).encode(),
        f"{keras.__version__} {tf.__version__}".encode(),
    ]
    for part in (examples.training, examples.validation):
        parts += ["\0".join(part.texts).encode(), part.targets.tobytes(), part.weights.tobytes()]
    return recipe.fingerprint(*parts)
