"""Read rows of the embedding without its matrix in memory.

The matrix of a large model has 480 MB, a row has a few hundred bytes. Rows are needed in the order
of their words, which is random in the file, so they are read one by one at their offset in the
file. A data set without a single offset (chunked, compressed, or of another type) is first copied
block by block into a scratch file.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from controller.model_build.errors import BuildError, one_line
from controller.model_build.hdf5 import DataSet

ROW_TYPE = np.dtype("<f4")
# Bytes of a stored number.
NUMBER_BYTES = {"float32": 4, "float16": 2}
_BLOCK_BYTES = 4 * 1024 * 1024


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
                f"{self._where}: row {index} of the embedding contains NaN or infinity: "
                "train the model again"
            )
        return row


class StoredRows:
    """Rows as the database stores them.

    `dtype` is `float32` or `float16` for vectors, `index` for the word's index as int32.
    """

    def __init__(self, rows: Rows, dtype: str) -> None:
        self._rows, self._dtype = rows, dtype

    def __getitem__(self, index: int) -> bytes:
        if self._dtype == "index":
            return struct.pack("<i", index)
        row = self._rows[index]
        return row if self._dtype == "float32" else as_float16(row, f"row {index}")


def as_float16(row: bytes, where: str) -> bytes:
    """A row of little-endian float32 rounded to float16.

    Raises:
        BuildError: a number is too large for float16.
    """
    with np.errstate(over="ignore"):
        rounded = np.frombuffer(row, ROW_TYPE).astype("<f2")
    if not np.isfinite(rounded).all():
        raise BuildError(
            f"{where} contains a number beyond 65504, the largest of float16: "
            "use float32, leave out --dtype float16"
        )
    return rounded.tobytes()


@contextmanager
def open_rows(matrix: DataSet, path: Path, scratch: Path, start: int = 0) -> Iterator[Rows]:
    """Random access to the rows of `matrix`, a data set of the file `path`.

    Args:
        scratch: directory for a copy of the rows where the file cannot be read in place; the copy
            is removed afterwards.
        start: where the HDF5 part of the file begins, in bytes (inside a `.keras` archive).
    """
    offset = matrix.id.get_offset()
    where = str(path)
    if offset is not None and matrix.dtype == ROW_TYPE and _in_place(matrix, path, start + offset):
        with path.open("rb", buffering=0) as raw:
            yield Rows(raw.fileno(), start + offset, matrix.shape[1], where)
        return
    with scratch_file(scratch) as file:
        step = max(1, _BLOCK_BYTES // (matrix.shape[1] * ROW_TYPE.itemsize))
        for first in range(0, matrix.shape[0], step):
            file.write(_block(matrix, first, first + step, where).tobytes())
        file.flush()
        yield Rows(file.fileno(), 0, matrix.shape[1], where)


@contextmanager
def scratch_file(directory: Path) -> Iterator[BinaryIO]:
    """A temporary file for rows, removed afterwards."""
    path = directory / "rows.f4"
    try:
        with path.open("w+b") as file:
            yield file
    finally:
        path.unlink(missing_ok=True)


def _block(matrix: DataSet, start: int, stop: int, where: str) -> NDArray[np.float32]:
    try:
        return np.asarray(matrix[start:stop]).astype(ROW_TYPE)
    except OSError as error:
        raise BuildError(
            f"{where}: rows {start}-{stop} of the embedding cannot be read ({one_line(error)}): "
            "the file is damaged, copy it again"
        ) from error


def _in_place(matrix: DataSet, path: Path, offset: int) -> bool:
    """Whether the matrix is at `offset`: its first and last row there equal what h5py reads."""
    size = matrix.shape[1] * ROW_TYPE.itemsize
    last = matrix.shape[0] - 1
    with path.open("rb") as file:
        for index in (0, last):
            file.seek(offset + index * size)
            if file.read(size) != _block(matrix, index, index + 1, str(path)).tobytes():
                return False
    return True
