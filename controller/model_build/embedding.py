"""Which rows of the embedding are words, and how to read a row without the matrix.

The matrix of a large model is 480 MB; a row is a few hundred bytes. Rows are wanted in the order
of their words, which is no order in the file, so they are read one by one at their offset in the
file. A data set without one offset (chunked, compressed, of another type) is copied in blocks
into a scratch file first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np

from controller.model_build.errors import BuildError
from controller.model_build.settings import how_to_give
from controller.model_build.word_index import WordIndex
from tox_com_det.model.tokenizer import TokenizerRules

ROW_TYPE = np.dtype("<f4")
_BLOCK_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Vocabulary:
    """The words that a text can ever ask for, ascending by UTF-8 bytes, with their rows.

    `text`: the words' UTF-8 bytes end to end, `ends`: where each ends (int64), `indices`: int64, in
    the same order; a list of 400,000 words would take four times the memory. `unreachable`: words
    that `num_words` cuts off; `unused_rows`: rows of the matrix without a word (row 0, padding,
    not counted).
    """

    text: bytes
    ends: np.ndarray
    indices: np.ndarray
    unreachable: int
    unused_rows: int

    def __len__(self) -> int:
        return len(self.ends)

    def __iter__(self) -> Iterator[tuple[str, int]]:
        start = 0
        for end, index in zip(self.ends, self.indices, strict=True):
            yield self.text[start:end].decode("utf-8"), int(index)
            start = end


def vocabulary(index: WordIndex, rules: TokenizerRules, rows: int) -> Vocabulary:
    """Choose the rows that go to the database.

    Raises:
        BuildError: a reachable word has no row, or no word is reachable.
    """
    limit = rules.num_words or None
    kept = index.indices < limit if limit else np.ones(len(index.indices), bool)
    beyond = np.flatnonzero(kept & (index.indices >= rows))
    if len(beyond):
        last = int(beyond[np.argmax(index.indices[beyond])])
        raise BuildError(
            f"the word index does not fit the model: {len(beyond)} words such as "
            f"{index.words[last].decode()!r} (index {index.indices[last]}) are beyond the matrix "
            f"of {rows} rows; give the num_words that the tokenizer was made with, "
            f"{how_to_give('num_words', f'{rows}?')}, or the right --word-index"
        )
    if not kept.any():
        raise BuildError(
            f"no word of the index is below num_words={rules.num_words}: "
            f"give the right one, {how_to_give('num_words')}"
        )
    # An array of references sorts in a fifth of the memory that a list of numbers takes.
    words = np.array(index.words, object)[kept]
    order = np.argsort(words, kind="stable")
    words = words[order]
    return Vocabulary(
        b"".join(words),
        np.cumsum(np.fromiter(map(len, words), np.int64, len(words))),
        index.indices[kept][order],
        len(index.words) - len(words),
        rows - 1 - len(words),
    )


class Rows:
    """Rows of a matrix as little-endian float32 bytes, read one at a time from a file."""

    def __init__(self, descriptor: int, offset: int, dimension: int, where: str) -> None:
        self._descriptor, self._offset, self._where = descriptor, offset, where
        self.size = dimension * ROW_TYPE.itemsize

    def __getitem__(self, index: int) -> bytes:
        row = os.pread(self._descriptor, self.size, self._offset + index * self.size)
        if len(row) != self.size:
            raise BuildError(f"{self._where}: row {index} is cut off: copy the file again")
        if not np.isfinite(np.frombuffer(row, ROW_TYPE)).all():
            raise BuildError(
                f"{self._where}: row {index} of the embedding holds NaN or infinity: "
                "train the model again"
            )
        return row


def as_float16(row: bytes, where: str) -> bytes:
    """A row of little-endian float32 rounded to float16.

    Raises:
        BuildError: a number is too large for float16.
    """
    with np.errstate(over="ignore"):
        rounded = np.frombuffer(row, ROW_TYPE).astype("<f2")
    if not np.isfinite(rounded).all():
        raise BuildError(f"{where} holds numbers beyond 65504, float16's largest: keep float32")
    return rounded.tobytes()


@contextmanager
def open_rows(matrix: h5py.Dataset, path: Path, scratch: Path, start: int = 0) -> Iterator[Rows]:
    """Random access to the rows of `matrix`, a data set of the file `path`.

    Args:
        scratch: directory for a copy of the rows where the file cannot be read in place; the copy
            is removed afterwards.
        start: where the HDF5 part of the file begins, in bytes (within a `.keras` archive).
    """
    offset = matrix.id.get_offset()
    where = str(path)
    if offset is not None and matrix.dtype == ROW_TYPE and _in_place(matrix, path, start + offset):
        with path.open("rb", buffering=0) as file:
            yield Rows(file.fileno(), start + offset, matrix.shape[1], where)
        return
    with scratch_file(scratch) as file:
        step = max(1, _BLOCK_BYTES // (matrix.shape[1] * ROW_TYPE.itemsize))
        for first in range(0, matrix.shape[0], step):
            file.write(_block(matrix, first, first + step, where).tobytes())
        file.flush()
        yield Rows(file.fileno(), 0, matrix.shape[1], where)


@contextmanager
def scratch_file(directory: Path) -> Iterator[BinaryIO]:
    """A file for rows on their way, removed afterwards."""
    path = directory / "rows.f4"
    try:
        with path.open("w+b") as file:
            yield file
    finally:
        path.unlink(missing_ok=True)


def _block(matrix: h5py.Dataset, start: int, stop: int, where: str) -> np.ndarray:
    try:
        return np.asarray(matrix[start:stop]).astype(ROW_TYPE)
    except OSError as error:
        reason = " ".join(str(error).split())
        raise BuildError(
            f"{where}: rows {start}-{stop} of the embedding cannot be read ({reason}): "
            "the file is damaged, copy it again"
        ) from error


def _in_place(matrix: h5py.Dataset, path: Path, offset: int) -> bool:
    """Whether the bytes at `offset` are the matrix: first and last row equal h5py's reading."""
    size = matrix.shape[1] * ROW_TYPE.itemsize
    last = matrix.shape[0] - 1
    with path.open("rb") as file:
        for index in (0, last):
            file.seek(offset + index * size)
            if file.read(size) != _block(matrix, index, index + 1, str(path)).tobytes():
                return False
    return True
