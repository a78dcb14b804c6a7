"""`python -m controller.model_build`: build a bundle without Fabric."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from controller.model_build.build import build
from controller.model_build.convert import supported_layers
from controller.model_build.errors import BuildError
from controller.model_build.inspect_file import inspect
from tox_com_det.model.normalization import NORMALIZATIONS
from tox_com_det.model.windows import MOST_WINDOWS, POOLINGS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m controller.model_build",
        description="Turn a Keras text classifier and its word index into a bundle for the server.",
        epilog="--layers alone lists the supported Keras layers; --inspect FILE says whether a "
        "file fits, and builds nothing.",
    )
    parser.add_argument("--h5", type=Path, required=True, help="Keras model: .h5 or .keras")
    parser.add_argument(
        "--architecture", type=Path, help="file with model.to_json(), for an .h5 with weights only"
    )
    parser.add_argument(
        "--word-index",
        type=Path,
        help="{word: index}, tokenizer.to_json(), CSV or TSV, one word per line, or the "
        "Tokenizer's pickle; left out where the model's TextVectorization holds its words",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build/bundle"),
        help="directory of the bundle (default: %(default)s)",
    )
    parser.add_argument(
        "--settings",
        type=Path,
        help="settings as JSON (default: build_settings.json beside the .h5)",
    )
    parser.add_argument(
        "--reference",
        type=Path,
        help="Keras' scores as JSON (default: reference.json beside the .h5)",
    )
    parser.add_argument("--labels", help="names of the scores, comma-separated")
    parser.add_argument(
        "--languages",
        help="that the model was trained for, comma-separated (default: en)",
    )
    parser.add_argument("--num-words", type=int, help="as given to Keras' Tokenizer")
    parser.add_argument(
        "--length", type=int, help="maxlen of pad_sequences, if the model does not state it"
    )
    parser.add_argument(
        "--mode",
        choices=("split", "whole"),
        help="split: word vectors in MongoDB (default); whole: word vectors in the head",
    )
    parser.add_argument("--dtype", choices=("float32", "float16"), help="of the vectors in MongoDB")
    parser.add_argument("--padding", choices=("pre", "post"), help="as in pad_sequences")
    parser.add_argument("--truncating", choices=("pre", "post"), help="as in pad_sequences")
    parser.add_argument(
        "--normalization",
        choices=NORMALIZATIONS,
        help="of a text before the tokenizer, as in the training: keras: none (default); unicode: "
        "NFKC, plain quotes, blanks and dashes separate words",
    )
    parser.add_argument(
        "--windows",
        type=int,
        help=f"read a text longer than the sequence in up to so many windows, at most "
        f"{MOST_WINDOWS} (default: 1, which cuts it as Keras does)",
    )
    parser.add_argument(
        "--stride",
        type=int,
        help="words from one window to the next (default: three quarters of the length)",
    )
    parser.add_argument(
        "--pooling", choices=POOLINGS, help="of the windows' scores, for each label (default: max)"
    )
    parser.add_argument("--oov-token", help="as given to Keras' Tokenizer")
    parser.add_argument(
        "--no-oov-token",
        action="store_true",
        help="the Tokenizer had none: unknown words are dropped",
    )
    parser.add_argument("--name", help="name of the model, [a-z0-9_-]")
    parser.add_argument("--embedding-name", help="start of the collection's name, [a-z0-9_]")
    parser.add_argument(
        "--sample",
        type=Path,
        help="comments, one per line or a CSV: the metrics tell how their scores are distributed",
    )
    parser.add_argument("--force", action="store_true", help="build even if nothing changed")
    parser.add_argument(
        "--accept-unusual",
        action="store_true",
        help="only warn where word index, matrix or golden outputs do not look like a model's",
    )
    return parser


def _inspect(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m controller.model_build",
        description="Say whether a file fits, what would be assumed, and what to type next.",
    )
    parser.add_argument("--inspect", type=Path, required=True, metavar="FILE")
    parser.add_argument("--architecture", type=Path, help="as for a build")
    parser.add_argument("--word-index", type=Path, help="as for a build")
    options = vars(parser.parse_args(arguments))
    path = options.pop("inspect")
    try:
        report = inspect(path, **options)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n".join(report.text(path)))
    return 0 if report.fits else 1


def _terminated(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)  # unwinds, which removes the unfinished bundle


def main(arguments: Sequence[str] | None = None) -> int:
    """Build a bundle; errors are one line on standard error.

    Returns:
        The exit code: 0 built or unchanged, 1 for an error, 130 interrupted.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if list(arguments) == ["--layers"]:
        print("\n".join(supported_layers()))
        return 0
    if any(one.partition("=")[0] == "--inspect" for one in arguments):
        return _inspect(arguments)
    options = vars(_parser().parse_args(arguments))
    previous = signal.signal(signal.SIGTERM, _terminated)
    try:
        build(options.pop("h5"), options.pop("word_index"), options.pop("out"), **options)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: nothing was changed", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGTERM, previous)
    return 0


if __name__ == "__main__":
    sys.exit(main())
