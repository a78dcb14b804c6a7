"""Train the sample model: `make sample-model DATA=directory VECTORS=file`.

The directory holds the files of `corpus` (labels CC0, comments of Wikipedia's talk pages CC BY-SA
3.0) and of `pool` (MIT). The vectors are those of GloVe 6B with 100 dimensions, PDDL 1.0. What is
special about this model is in this directory; everything else is `controller.model_train`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from controller.model_train.encoding import tokens_of
from controller.model_train.errors import TrainError
from controller.model_train.recipe import Recipe
from controller.model_train.split import Parts
from sample_model.corpus import LABELS, empty_texts, part_sources, read_sources
from sample_model.identity import insert_term, made_up_sentences, swap_terms
from sample_model.pool import TWEETS, make_pool, read_tweets
from sample_model.spelling import SpellOut, compounds, hidden_forms, telling_words

HERE = Path(__file__).resolve().parent
# The files of a trained model that are in the repository, by their names there.
KEPT = {
    "model.h5": "toxic_comment_detector.h5",
    **{
        name: name
        for name in ("word_index.json", "build_settings.json", "reference.json", "metrics.json")
    },
}
RECIPE = replace(
    Recipe(), name="sample-2", seed=20190122, epochs=8, kernels=160, words=62_000, drawn=20_000
)
# Of the made-up sentences, and of the vocabulary with the hidden forms of its words.
SENTENCES, MOST_WORDS = 3_000, 78_000
# Of a target, the part that the teacher gives.
TAUGHT = 0.6


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m sample_model.train",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument("--data", type=Path, required=True, help="directory of the comments")
    parser.add_argument("--vectors", type=Path, required=True, help="GloVe, 100 dimensions")
    parser.add_argument("--member", help="the file to read from a .zip that holds several")
    parser.add_argument("--out", type=Path, required=True, help="directory of the model")
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=RECIPE.seed, help="default: %(default)s")
    parser.add_argument("--resume", action="store_true", help="go on after an interruption")
    parser.add_argument(
        "--install", action="store_true", help=f"then copy the model to {HERE.name}/"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train the model into a directory; errors are one line. Returns the exit code."""
    options = parse_arguments(arguments)
    try:
        run(options)
    except TrainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: run it again with --resume", file=sys.stderr)
        return 130
    return 0


def run(options: argparse.Namespace) -> None:
    """Train the model. Raises TrainError: see `controller.model_train.run.train`."""
    # Imported here: Keras and scikit-learn, which take seconds.
    from controller.model_train.run import Job, train
    from sample_model.teacher import Teacher

    recipe = replace(RECIPE, epochs=options.epochs, seed=options.seed)
    parts = part_sources(read_sources(options.data), recipe.seed)
    tokens = tokens_of(recipe, parts.training.texts)
    toxic = parts.training.targets[:, 0] > 0.5
    words = telling_words(tokens, toxic)
    teacher = Teacher([" ".join(one) for one in tokens], parts.training.targets, _say)
    tweets = tokens_of(recipe, read_tweets(options.data / TWEETS))
    train(
        Job(
            parts=taught(parts, teacher.score_own(recipe.seed), recipe.seed),
            labels=LABELS,
            vectors=options.vectors,
            member=options.member,
            out=options.out,
            name="sample",
            resume=options.resume,
            make_pool=lambda known: make_pool(recipe.seed, tweets, tokens, known, teacher.score),
            copies={**compounds(words), **hidden_forms(words)},
            most_words=MOST_WORDS,
        ),
        replace(recipe, change_tokens=(swap_terms, insert_term, SpellOut(words))),
        _say,
    )
    if options.install:
        install(options.out)


def taught(parts: Parts, scores: np.ndarray, seed: int) -> Parts:
    """The parts with targets between the labels and the teacher's scores, and made-up sentences."""
    training = parts.training
    targets = (1 - TAUGHT) * training.targets + TAUGHT * scores
    sentences = made_up_sentences(np.random.default_rng(seed), SENTENCES)
    return replace(
        parts,
        training=replace(training, targets=targets.astype(np.float32)),
        unchanged=sentences.joined(empty_texts()),
    )


def install(trained: Path) -> None:
    """Copy a trained model over the one of the repository."""
    for name, kept in KEPT.items():
        shutil.copyfile(trained / name, HERE / kept)
    print(f"copied to {HERE}: run make model-card")


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
