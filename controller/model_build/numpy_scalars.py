"""Read the numbers and texts of numpy in a pickle as data, without numpy's own functions.

Words and indices come from arrays of numpy as scalars: `TextVectorization.get_vocabulary()` gives
`numpy.str_`, and many word indices are made of `numpy.int64`.
Source: numpy/core/src/multiarray/descriptor.c, `arraydescr_setstate`.
"""

from __future__ import annotations

import struct
from typing import Any

SCALARS = frozenset({("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar")})
DTYPES = frozenset({("numpy", "dtype")})
_FORMATS = {"i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q"}
_FORMATS |= {"f4": "f", "f8": "d"}


class DType:
    """The type of a scalar, such as `i8` or `U12`, and the order of its bytes."""

    def __init__(self, name: str) -> None:
        self.name, self._big = name, False

    def set_state(self, state: Any) -> None:
        """Take the state that numpy writes: a version, then the order of the bytes."""
        if not isinstance(state, tuple) or len(state) < 2:
            raise ValueError(f"the type {self.name} of numpy has another state")
        self._big = state[1] == ">"

    def value(self, raw: Any) -> int | float | str:
        """A Python value of the bytes of a scalar.

        Raises:
            ValueError: neither a number nor a text.
        """
        data = raw.encode("latin-1") if isinstance(raw, str) else raw
        order = ">" if self._big else "<"
        if isinstance(data, bytes) and self.name[:1] == "U":
            text = data.decode("utf-32-be" if self._big else "utf-32-le")
            return text.rstrip("\0")
        if isinstance(data, bytes) and self.name in _FORMATS:
            (number,) = struct.unpack(order + _FORMATS[self.name], data)
            return number  # type: ignore[no-any-return]  # an int or a float, as the format says
        raise ValueError(f"a value of the type {self.name} of numpy is not a word or a number")
