"""Train the sample model: `make sample-model DATA=directory VECTORS=file`.

The directory holds the two files of `sample_model.corpus`; labels CC0, comments (Wikipedia talk
pages) CC BY-SA 3.0. The vectors are those of GloVe 6B with 100 dimensions, PDDL 1.0. What is
special about this model is here and in `changes`; everything else is `controller.model_train`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from controller.model_train.errors import TrainError
from controller.model_train.recipe import Recipe
from sample_model.changes import loosen, swap_terms
from sample_model.corpus import LABELS, part_sources, read_sources

HERE = Path(__file__).resolve().parent
# The files of a trained model that are in the repository, by their names there.
KEPT = {
    "model.h5": "toxic_comment_detector.h5",
    **{name: name for name in ("word_index.json", "model.json", "reference.json", "metrics.json")},
}
RECIPE = replace(
    Recipe(),
    name="sample-1",
    seed=20190122,
    change_texts=(swap_terms, loosen),
)


def install(trained: Path) -> None:
    """Copy a trained model over the one of the repository."""
    for name, kept in KEPT.items():
        shutil.copyfile(trained / name, HERE / kept)
    print(f"copied to {HERE}: run make model-card")


def main(arguments: Sequence[str] | None = None) -> int:
    """Train the model into a directory; errors are one line. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m sample_model.train",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument("--data", type=Path, required=True, help="directory of the comments")
    parser.add_argument("--vectors", type=Path, required=True, help="GloVe text, 100 dimensions")
    parser.add_argument("--member", help="the file to read from a .zip that holds several")
    parser.add_argument("--out", type=Path, required=True, help="directory of the model")
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument(
        "--install", action="store_true", help=f"then copy the model to {HERE.name}/"
    )
    options = parser.parse_args(arguments)
    try:
        parts = part_sources(read_sources(options.data), RECIPE.seed)
        # Imported here: Keras, which takes seconds.
        from controller.model_train.run import Job, train

        job = Job(
            parts=parts,
            labels=LABELS,
            vectors=options.vectors,
            member=options.member,
            out=options.out,
            name="sample",
            resume=options.resume,
        )
        train(job, replace(RECIPE, epochs=options.epochs))
        if options.install:
            install(options.out)
    except TrainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: run it again with --resume", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
