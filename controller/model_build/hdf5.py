"""Types for the parts of h5py that this package uses; h5py itself has no type information."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class DataSetId(Protocol):
    """HDF5's own handle of a data set."""

    def get_offset(self) -> int | None:
        """Where the data begins in the file, in bytes; None if it is not in one piece."""
        ...


class DataSet(Protocol):
    """An HDF5 data set (`h5py.Dataset`): an array in a file, read when it is indexed."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    @property
    def id(self) -> DataSetId: ...

    def __getitem__(self, rows: slice | tuple[()]) -> NDArray[Any]: ...


def as_text(value: Any) -> str:
    """An attribute's value: bytes or text, depending on the version that wrote it."""
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
