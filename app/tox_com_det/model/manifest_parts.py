"""The parts of a manifest, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tox_com_det.model.tokenizer import Side
from tox_com_det.model.windows import Windows

HEAD_FILE = "head.onnx"
# `index`: the head holds the matrix (mode whole), a row is the word's index, dimension 1.
BYTES_PER_VALUE = {"float32": 4, "float16": 2, "index": 4}


class ManifestError(ValueError):
    """The manifest is unreadable or not in a form that this release reads. One line."""


@dataclass(frozen=True)
class FileEntry:
    """A file of the bundle: its sha256 (64 hex digits) and size in bytes."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class SequenceRules:
    """Number of positions, the sides that are filled and cut, and the windows of a longer text.

    Without `windows` a longer text is cut, as Keras does.
    """

    length: int
    padding: Side
    truncating: Side
    windows: Windows | None = None


@dataclass(frozen=True)
class Embedding:
    """Where the word vectors are and what they must be.

    `special_rows` maps an index that belongs to no word to its row in little-endian bytes.
    `dtype` is `float32` or `float16` for vectors, and `index` where the head holds the matrix: a
    row then is the word's index as int32, and documents have no vector.
    """

    database: str
    collection: str
    count: int
    dimension: int
    dtype: str
    checksum: str
    special_rows: Mapping[int, bytes]

    @property
    def vector_bytes(self) -> int:
        """Bytes of one vector."""
        return self.dimension * BYTES_PER_VALUE[self.dtype]


@dataclass(frozen=True)
class GoldenOutput:
    """A text, the bundle's own scores for it, and Keras' scores where they are known."""

    text: str
    scores: tuple[float, ...]
    reference: tuple[float, ...] | None


@dataclass(frozen=True)
class GoldenOutputs:
    """The texts that gate a deploy; `tolerance` is an absolute difference of scores."""

    tolerance: float
    cases: tuple[GoldenOutput, ...]
    reference_max_difference: float | None
