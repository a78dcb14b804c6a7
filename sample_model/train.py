"""Train the sample model: the layers of the article's author on a small public data set.

Needs TensorFlow/Keras 2.15, which nothing else in the project does. From the repository:

    python3.11 -m venv /tmp/keras
    /tmp/keras/bin/pip install --require-hashes -r requirements/training.txt
    PYTHONPATH=app /tmp/keras/bin/python -m sample_model.train \
        --data jigsaw_train.csv --tweets labeled_data.csv --vectors glove.6B.50d.txt \
        --out sample_model

Writes toxic_comment_detector.h5 (legacy Keras format, no optimizer), word_index.json (the plain
form `{word: index}`), model.json (what the .h5 does not contain), reference.json (Keras' own scores
for the texts of the golden outputs) and metrics.json (ROC-AUC per label).

Every random choice depends on `--seed`. The held-out split is not used for the word index,
training, early stopping or the choice between variants.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from controller.model_build.golden_texts import DEFAULT_TEXTS
from sample_model.corpus import LABELS, Corpus, read_comments, read_tweets, split
from sample_model.fitting import VARIANTS, Examples, label_aucs, train
from sample_model.network import Network
from sample_model.words import fit_tokenizer, read_vectors, sequences

SOURCES = """public sources:
  --data     train.csv of the Jigsaw Toxic Comment Classification Challenge (or a part of it)
             https://www.kaggle.com/c/jigsaw-toxic-comment-classification-challenge/data
             labels CC0, comments (Wikipedia talk pages) CC BY-SA 3.0
  --tweets   labeled_data.csv of Davidson et al. 2017, MIT
             https://github.com/t-davidson/hate-speech-and-offensive-language/tree/master/data
  --vectors  glove.6B.50d.txt of Pennington et al. 2014, PDDL
             https://nlp.stanford.edu/projects/glove/
"""


def write_json(path: Path, content: object) -> None:
    """Write a readable JSON file."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of the command line; without tweets only variant "none" is trained."""
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
    """Train, and write the model and its measurements."""
    options = parse_arguments(arguments)
    started = time.monotonic()
    tf.config.experimental.enable_op_determinism()
    corpus = read_comments(options.data)
    parts = [corpus.take(rows) for rows in split(corpus.targets, options.seed)]
    labelled, validation, held_out = parts
    comments = labelled.with_empty_texts()
    tweets = read_tweets(options.tweets) if options.tweets else None

    tokenizer = fit_tokenizer(comments.texts + (tweets.texts if tweets else []))

    def examples(part: Corpus) -> Examples:
        return Examples(sequences(tokenizer, part.texts), part.targets)

    glove = read_vectors(options.vectors, tokenizer.word_index, tokenizer.num_words)
    known = int(np.isfinite(glove[:, 0]).sum())
    print(
        f"{len(labelled.texts)} comments for training, {len(validation.texts)} for validation, "
        f"{len(held_out.texts)} held out; {len(tweets.texts) if tweets else 0} tweets; "
        f"{tokenizer.num_words - 1} words, {known} with GloVe rows"
    )
    results: dict[str, tuple[Network, float]] = {}
    for variant in VARIANTS if options.variant == "best" else [options.variant]:
        print(f"variant {variant}:", flush=True)
        results[variant] = train(
            variant,
            glove,
            examples(comments),
            examples(tweets) if tweets else None,
            examples(validation),
            options.seed,
        )
    chosen = max(results, key=lambda variant: results[variant][1])
    model = results[chosen][0].plain()

    texts = list(DEFAULT_TEXTS)
    scores = model.predict(sequences(tokenizer, texts), verbose=0)
    write_model(options.out, model, tokenizer, texts, scores)
    aucs = label_aucs(held_out.targets, model.predict(examples(held_out).tokens, verbose=0))
    metrics = {
        "variant": chosen,
        "validation_mean_auc": {name: result[1] for name, result in results.items()},
        "comments": {
            "training": len(labelled.texts),
            "validation": len(validation.texts),
            "held_out": len(held_out.texts),
        },
        "tweets": len(tweets.texts) if tweets else 0,
        "words": tokenizer.num_words - 1,
        "glove_rows": known,
        "positives_training": positives(labelled),
        "positives_held_out": positives(held_out),
        "held_out_auc": aucs,
        "held_out_mean_auc": float(np.nanmean(list(aucs.values()))),
        "seed": options.seed,
    }
    write_json(options.out / "metrics.json", metrics)
    print(json.dumps(metrics, indent=1))
    for text, row in zip(texts, scores, strict=True):
        print(" ".join(f"{score:.3f}" for score in row), text[:60])
    print(f"done in {time.monotonic() - started:.0f} s")


def positives(corpus: Corpus) -> dict[str, int]:
    """Number of positive texts of each label."""
    return dict(zip(LABELS, map(int, corpus.targets.sum(axis=0)), strict=True))


def write_model(out: Path, model: Any, tokenizer: Any, texts: list[str], scores: Any) -> None:
    """Write the inputs of `build-model`: model, word index, settings and Keras' scores."""
    out.mkdir(parents=True, exist_ok=True)
    model.save(out / "toxic_comment_detector.h5", save_format="h5", include_optimizer=False)
    write_json(out / "word_index.json", tokenizer.word_index)
    write_json(
        out / "model.json",
        {
            "name": "sample",
            "labels": LABELS,
            "num_words": tokenizer.num_words,
            "embedding_name": "sample50",
            "padding": "pre",
            "truncating": "pre",
        },
    )
    write_json(
        out / "reference.json",
        {"keras": keras.__version__, "texts": texts, "scores": scores.astype(float).tolist()},
    )


if __name__ == "__main__":
    main()
