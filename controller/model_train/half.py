"""Store the embedding in half of its bytes: float16 in the .h5, which Keras reads as float32."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

__all__ = ["halve", "rounded"]

_NAME = "embeddings"


def rounded(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows as float16 can hold them."""
    return rows.astype(np.float16).astype(np.float32)


def halve(path: Path) -> None:
    """Write the embedding of an .h5 as float16; all else stays.

    The file is written anew, because HDF5 does not give back the room of what is removed.
    """
    work = path.with_name(f"{path.name}.half")
    try:
        with h5py.File(path) as old, h5py.File(work, "w") as new:
            _copy_attributes(old, new)
            old.visititems(lambda name, one: _copy(name, one, new))
        work.replace(path)
    finally:
        work.unlink(missing_ok=True)


def _copy(name: str, one: h5py.Group | h5py.Dataset, new: h5py.File) -> None:
    if isinstance(one, h5py.Dataset):
        embedding = name.rpartition("/")[2].partition(":")[0] == _NAME
        made = new.create_dataset(name, data=one[()].astype("<f2") if embedding else one[()])
    else:
        made = new.require_group(name)
    _copy_attributes(one, made)


def _copy_attributes(one: h5py.HLObject, made: h5py.HLObject) -> None:
    for key, value in one.attrs.items():
        made.attrs[key] = value
