"""`python -m controller.model_train`: train a model, in an environment with Keras."""

from __future__ import annotations

import argparse
import re
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType

from controller.model_train.data import TEXT_COLUMN, check, read_comments
from controller.model_train.errors import TrainError
from controller.model_train.recipe import Recipe, usual_epochs
from controller.model_train.split import part

__all__ = ["main"]

_NAME = r"[a-z0-9_-]{1,40}"
INTERRUPTED = 130


def _parser() -> argparse.ArgumentParser:
    default = Recipe()
    parser = argparse.ArgumentParser(
        prog="python -m controller.model_train",
        description="Train a text CNN on labelled comments (needs requirements/training.txt).",
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="CSV of comments with columns of labels"
    )
    parser.add_argument(
        "--vectors", type=Path, required=True, help="GloVe or word2vec vectors, also .gz or .zip"
    )
    parser.add_argument("--member", help="the file to read from a .zip that holds several")
    parser.add_argument("--out", type=Path, required=True, help="directory of the model")
    parser.add_argument("--text-column", default=TEXT_COLUMN, help="default: %(default)s")
    parser.add_argument(
        "--labels", type=_names, default=(), help="columns, comma-separated (default: all of 0..1)"
    )
    parser.add_argument(
        "--language", type=_names, default=("en",), help="of the comments (default: en)"
    )
    parser.add_argument("--name", type=_name, default="model", help="of the model, [a-z0-9_-]")
    parser.add_argument(
        "--epochs", type=_whole, help="at most (default: by the number of comments)"
    )
    parser.add_argument(
        "--vocabulary", type=_whole, default=default.words, help="words (default: %(default)s)"
    )
    parser.add_argument(
        "--length",
        type=_whole,
        default=default.length,
        help="words of a text (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=default.seed, help="default: %(default)s")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted training")
    return parser


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _name(text: str) -> str:
    if not re.fullmatch(_NAME, text):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form {_NAME}")
    return text


def _whole(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 10**7:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train a model; errors are one line on standard error.

    Returns:
        The exit code: 0 trained, 1 for an error, 130 interrupted.
    """
    options = _parser().parse_args(arguments)
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _train(options)
    except TrainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror or error}: add --resume after that", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, previous)


def _train(options: argparse.Namespace) -> int:
    comments, labels = read_comments(options.data, options.labels, options.text_column, _say)
    check(comments, labels, str(options.data))
    parts = part(comments, options.seed)
    recipe = replace(
        Recipe(),
        epochs=options.epochs or usual_epochs(len(parts.training), Recipe().batch),
        words=options.vocabulary,
        length=options.length,
        train_length=max(options.length, Recipe().train_length),
        seed=options.seed,
    )
    # Imported here: it takes seconds, and what is wrong with the data is said before.
    from controller.model_train.run import Job, train

    job = Job(
        parts=parts,
        labels=labels,
        vectors=options.vectors,
        member=options.member,
        out=options.out,
        name=options.name,
        languages=options.language,
        resume=options.resume,
    )
    train(job, recipe, _say)
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
