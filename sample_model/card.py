"""Write the sample model's card: `make model-card DATA=directory`.

All figures are of the committed model, built into a bundle and scored by the service's own code, on
comments that it was not trained on (`corpus.part_sources`, with the seed in metrics.json). What is
not a figure is in `card_text.md`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from controller.model_build.build import build
from controller.model_build.errors import BuildError
from controller.model_card.bias import read_sentences
from controller.model_card.card import CardInput, write_card
from controller.model_card.markdown import number, table
from controller.model_card.scorer import Scorer
from controller.model_train.data import Comments
from controller.model_train.errors import TrainError
from sample_model.corpus import KEPT_NATURAL, part_sources, read_sources
from sample_model.tricks import Score, as_the_author, score_tricks

HERE = Path(__file__).resolve().parent
MADLIBS = "bias_madlibs_small.csv.gz"
INSULT = "you are an idiot"
CARD, TEXT = HERE / "MODEL_CARD.md", HERE / "card_text.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the card; errors are one line. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m sample_model.card", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--data", type=Path, required=True, help="directory of the comments")
    parser.add_argument("--out", type=Path, default=CARD, help="default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        scorer = built()
        given = CardInput(
            held_out(options.data), read_sentences(options.data / MADLIBS), (trained, tricks)
        )
        write_card(options.out, scorer, given, TEXT.read_text(encoding="utf-8"))
    except (BuildError, TrainError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def built() -> Scorer:
    """The committed model as a bundle."""
    with tempfile.TemporaryDirectory() as work:
        bundle = Path(work, "bundle")
        model = HERE / "toxic_comment_detector.h5"
        build(model, HERE / "word_index.json", bundle, say=lambda line: None)
        return Scorer(bundle)


def held_out(data: Path) -> dict[str, Comments]:
    """The comments that nothing was decided by, by their source."""
    comments = part_sources(read_sources(data), metrics()["recipe"]["seed"]).held_out
    rows = np.arange(len(comments))
    natural = KEPT_NATURAL // 2
    return {
        "Natural": comments.take(rows[:natural]),
        "Labelled later": comments.take(rows[natural:]),
    }


def metrics() -> dict:
    """The figures of the training."""
    found: dict = json.loads((HERE / "metrics.json").read_text(encoding="utf-8"))
    if "recipe" not in found:
        raise TrainError(f"{HERE / 'metrics.json'}: of another program: run `make sample-model`")
    return found


def trained(scorer: Scorer) -> list[str]:
    """How the training went."""
    found = metrics()
    rows = [
        [str(place), number(one["loss"], 4), number(one["auc"], 4), f"{one['seconds']:.0f}"]
        for place, one in enumerate(found["epochs"], start=1)
    ]
    return [
        "### Training",
        "",
        f"{found['comments']['training']} comments, {found['comments']['an_epoch']} texts in an "
        f"epoch; Keras {found['keras']}, TensorFlow {found['tensorflow']}, seed "
        f"{found['recipe']['seed']}; the weights are those after epoch {found['best_epoch']}.",
        "",
        *table(("epoch", "loss", "validation AUC, mean of the labels", "seconds"), rows),
    ]


def tricks(scorer: Scorer) -> list[str]:
    """Ways to hide an insult: with which score each passes."""

    def toxicity(of: Scorer) -> Score:
        return lambda texts: of.score(texts, "tricks")[:, 0].tolist()

    before = scorer.with_manifest(as_the_author(scorer.manifest))
    scores = score_tricks(INSULT, toxicity(before), toxicity(scorer))
    rows = [[one.name, number(one.before), number(one.after)] for one in scores]
    return [
        "### Ways to hide an insult",
        "",
        f"`{scorer.labels[0]}` of {INSULT!r}, written in ways that hide it "
        "(`sample_model/tricks.py`), with Keras' rules alone (before) and with this model's "
        "normalization and windows (after).",
        "",
        *table(("trick", "before", "after"), rows),
    ]


if __name__ == "__main__":
    sys.exit(main())
