"""`python -m controller.model_train`: train a model, in an environment with Keras."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from controller.model_train.data import check, read_comments
from controller.model_train.errors import TrainError
from controller.model_train.options import parser, recipe_of
from controller.model_train.split import part

__all__ = ["main"]

INTERRUPTED = 130


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train a model; errors are one line on standard error.

    Returns:
        The exit code: 0 trained, 1 for an error, 130 interrupted.
    """
    options = parser().parse_args(arguments)
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
    recipe = recipe_of(options, len(parts.training))
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
