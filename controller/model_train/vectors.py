"""Read the word vectors that a vocabulary can use, with a progress bar."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from controller.model_build.errors import BuildError, file_problem
from controller.model_build.vector_files import open_vectors, read_vectors
from controller.model_train.errors import TrainError
from controller.progress import step_progress

__all__ = ["WordVectors", "load_vectors"]

_STEP = 2048  # words between two calls of `step`


@dataclass(frozen=True)
class WordVectors:
    """Words of a file in its order, which is that of their frequency in GloVe's.

    Attributes:
        words: those that were kept, each once.
        rows: float32 [words, dimension].
    """

    words: list[str]
    rows: NDArray[np.float32]

    @property
    def dimension(self) -> int:
        """Numbers of a word."""
        return int(self.rows.shape[1])


def load_vectors(
    path: Path,
    wanted: set[str],
    most: int,
    possible: Callable[[str], bool],
    member: str | None = None,
    say: Callable[[str], None] = print,
) -> WordVectors:
    """Keep the words that the comments have, and the first ones of the file.

    The file is read to its end, the rest of it is not kept: 400,000 words need no more memory than
    `most`.

    Args:
        path: GloVe or word2vec vectors: text or .bin, plain, .gz or .zip.
        wanted: words that are kept wherever they are in the file.
        most: how many first words are kept as well.
        possible: whether the tokenizer can make a word of a text; others are not kept.
        member: the file to read from a .zip that holds several.
        say: takes a line of progress at a time.

    Raises:
        TrainError: no such file, or not vectors.
    """
    problem = file_problem(path)
    if problem:
        raise TrainError(f"{path} {problem}: set it with --vectors")
    kept: dict[str, None] = {}
    data = array("B")
    size = path.stat().st_size
    dimension = first = 0
    try:
        with (
            open_vectors(path, member) as (stream, position),
            step_progress(f"reading {path.name}, MB", -(-size // 10**6), say) as step,
        ):
            for raw, number, row in read_vectors(stream, path):
                if number % _STEP == 0:
                    step(position() // 10**6)
                dimension = len(row) // 4
                word = raw.decode("utf-8")
                if word in kept or not (word in wanted or first < most) or not possible(word):
                    continue
                first += 1
                kept[word] = None
                data.frombytes(row)
    except BuildError as error:
        raise TrainError(str(error).replace("--source", "--vectors")) from None
    rows = np.frombuffer(data, "<f4").reshape(-1, dimension)
    if not kept:
        raise TrainError(
            f"{path}: none of its words can occur in a text: give vectors of words in lower case"
        )
    return WordVectors(list(kept), rows)
