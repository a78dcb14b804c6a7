"""The options of a training, and what is said of wrong ones before anything is made."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from controller.model_train.data import TEXT_COLUMN
from controller.model_train.errors import TrainError
from controller.model_train.recipe import Recipe, usual_epochs
from tox_com_det.model.manifest_reader import LANGUAGE

__all__ = ["parser", "read_options", "recipe_of"]

_NAME = r"[a-z0-9_-]{1,40}"


class _OneLine(argparse.ArgumentParser):
    """A parser that raises what is wrong, in place of the usage and an exit."""

    def error(self, message: str) -> NoReturn:
        """Raise TrainError with the message."""
        raise TrainError(message.removeprefix("argument "))


def read_options(words: Sequence[str]) -> argparse.Namespace:
    """Return the options of a training.

    Raises TrainError: one of them is wrong, in one line.
    """
    return parser(_OneLine).parse_args(words)


def parser(
    kind: type[argparse.ArgumentParser] = argparse.ArgumentParser,
) -> argparse.ArgumentParser:
    """Return the parser of `python -m controller.model_train`."""
    default = Recipe()
    made = kind(
        prog="python -m controller.model_train",
        description="Train a text CNN on labelled comments (needs requirements/training.txt).",
    )
    made.add_argument(
        "--data", type=Path, required=True, help="CSV of comments with columns of labels"
    )
    made.add_argument(
        "--vectors", type=Path, required=True, help="GloVe or word2vec vectors, also .gz or .zip"
    )
    made.add_argument("--member", help="the file to read from a .zip that holds several")
    made.add_argument("--out", type=Path, required=True, help="directory of the model")
    made.add_argument("--text-column", default=TEXT_COLUMN, help="default: %(default)s")
    made.add_argument(
        "--labels", type=_names, default=(), help="columns, comma-separated (default: all of 0..1)"
    )
    made.add_argument(
        "--language", type=_languages, default=("en",), help="of the comments (default: en)"
    )
    made.add_argument("--name", type=_name, default="model", help="of the model, [a-z0-9_-]")
    made.add_argument("--epochs", type=_whole, help="at most (default: by the number of comments)")
    made.add_argument(
        "--vocabulary", type=_whole, default=default.words, help="words (default: %(default)s)"
    )
    made.add_argument(
        "--length",
        type=_whole,
        default=default.length,
        help="words of a text (default: %(default)s)",
    )
    made.add_argument("--seed", type=int, default=default.seed, help="default: %(default)s")
    made.add_argument("--resume", action="store_true", help="go on with an interrupted training")
    return made


def recipe_of(options: argparse.Namespace, comments: int) -> Recipe:
    """Return the recipe of a training on a number of comments."""
    usual = Recipe()
    return replace(
        usual,
        epochs=options.epochs or usual_epochs(comments, usual.batch),
        words=options.vocabulary,
        length=options.length,
        train_length=max(options.length, usual.train_length),
        # A stride longer than a window would leave out the words between two of them.
        stride=min(usual.stride, max(1, options.length * 3 // 4)),
        seed=options.seed,
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _languages(text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(_names(text)))
    if not found or not all(re.fullmatch(LANGUAGE, one) for one in found):
        raise argparse.ArgumentTypeError(f"{text!r} is not a code such as en or hi-Latn")
    return found


def _name(text: str) -> str:
    if not re.fullmatch(_NAME, text):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form {_NAME}")
    return text


def _whole(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 10**7:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)
