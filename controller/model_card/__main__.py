"""`python -m controller.model_card`: write the figures of a bundle into a card."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from controller.model_card.bias import read_sentences
from controller.model_card.card import CardInput, write_card
from controller.model_card.scorer import Scorer
from controller.model_train.data import TEXT_COLUMN, read_comments
from controller.model_train.errors import TrainError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a card; errors are one line on standard error. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m controller.model_card",
        description="Measure a bundle on labelled comments and write the figures into a card.",
    )
    parser.add_argument("--bundle", type=Path, required=True, help="of fab build-model")
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        nargs="+",
        help="CSV of comments with a column for each label, not those that it was trained on",
    )
    parser.add_argument("--text-column", default=TEXT_COLUMN, help="default: %(default)s")
    parser.add_argument("--bias", type=Path, help="CSV of sentences: text, label, subgroup")
    parser.add_argument("--out", type=Path, required=True, help="the card, .md")
    options = parser.parse_args(arguments)
    try:
        scorer = Scorer(options.bundle)
        sets = {
            name: read_comments(path, scorer.labels, options.text_column)[0]
            for name, path in _named(options.data).items()
        }
        sentences = read_sentences(options.bias) if options.bias else None
        write_card(options.out, scorer, CardInput(sets, sentences))
    except TrainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror}: choose another --out", file=sys.stderr)
        return 1
    return 0


def _named(paths: Sequence[Path]) -> dict[str, Path]:
    """The files by their names, by the whole path where two names are alike; each file once."""
    once = dict.fromkeys(paths)
    names = [path.name for path in once]
    return {str(path) if names.count(path.name) > 1 else path.name: path for path in once}


if __name__ == "__main__":
    sys.exit(main())
