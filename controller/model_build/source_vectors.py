"""Bring the vectors of a file into the order of the dump, through a scratch file on the disk.

The words of a file are in any order, those of a dump in the order of their UTF-8 bytes. Only the
words are kept in memory.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from controller.model_build.errors import BuildError
from controller.model_build.rows import ROW_TYPE, Rows
from controller.model_build.vector_files import WordVector
from controller.model_build.vocabulary import Vocabulary

# (word, index, row in little-endian float32), ascending by the word's UTF-8 bytes.
Documents = Iterator[tuple[str, int, bytes]]
_STEP = 2048  # words between two calls of `step`


@dataclass(frozen=True)
class SourceVectors:
    """The words of a file, ascending by their UTF-8 bytes, and where their rows are.

    Attributes:
        words: UTF-8 bytes, object [words].
        places: row of each word in the scratch file, int64 [words].
        numbers: number of each word in the file, int64 [words].
        rows: the scratch file.
    """

    words: NDArray[np.object_]
    places: NDArray[np.int64]
    numbers: NDArray[np.int64]
    rows: Rows

    def __len__(self) -> int:
        return len(self.words)

    def documents(self) -> Documents:
        """Every word of the file with its number there."""
        for word, number, place in zip(self.words, self.numbers, self.places, strict=True):
            yield word.decode("utf-8"), int(number), self.rows[int(place)]

    def joined(self, chosen: Vocabulary, finished: Callable[[int], None]) -> Documents:
        """The words of a vocabulary with their vectors, or zeros; both sides are sorted.

        Args:
            finished: takes the number of words that got zeros, at the end.
        """
        zeros, missing, at = bytes(self.rows.size), 0, 0
        for word, number in chosen:
            key = word.encode("utf-8")
            while at < len(self.words) and self.words[at] < key:
                at += 1
            if at < len(self.words) and self.words[at] == key:
                yield word, number, self.rows[int(self.places[at])]
            else:
                missing += 1
                yield word, number, zeros
        finished(missing)


def collect(
    vectors: Iterable[WordVector],
    source: Path,
    scratch: BinaryIO,
    position: Callable[[], int],
    step: Callable[[int], None],
) -> SourceVectors:
    """Copy the rows of a file into `scratch` and sort its words.

    Args:
        source: the file, for errors.
        position: how many bytes of the file were read.
        step: called from time to time with the megabytes that were read.

    Raises:
        BuildError: rows of different lengths, or a word that occurs twice.
    """
    words: list[bytes] = []
    numbers = array("q")
    size = 0
    for word, number, row in vectors:
        size = size or len(row)
        if len(row) != size:
            raise BuildError(
                f"{source}: the vector of {word.decode()!r} has {len(row) // ROW_TYPE.itemsize} "
                f"numbers, the ones before it have {size // ROW_TYPE.itemsize}: "
                "copy the file again or name another one with --source"
            )
        words.append(word)
        numbers.append(number)
        scratch.write(row)
        if len(words) % _STEP == 0:
            step(position() // 10**6)
    scratch.flush()
    unsorted = np.array(words, object)
    del words
    order = np.argsort(unsorted, kind="stable")
    _refuse_twice(source, unsorted, order)
    return SourceVectors(
        unsorted[order],
        order,
        np.frombuffer(numbers, np.int64)[order],
        Rows(scratch.fileno(), 0, size // ROW_TYPE.itemsize, str(source)),
    )


def _refuse_twice(source: Path, words: NDArray[np.object_], order: NDArray[np.int64]) -> None:
    for one, other in itertools.pairwise(order):
        if words[one] == words[other]:
            raise BuildError(
                f"{source}: the word {words[one].decode()!r} occurs twice, as number {one + 1} and "
                f"{other + 1}: remove one of them"
            )
