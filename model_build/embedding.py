"""Split off the embedding: which rows are words, and how to read a row without the matrix.

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

import h5py
import numpy as np

from model_build.errors import BuildError
from model_build.head import check_dtype, option_names
from model_build.keras_h5 import KerasModel, Layer
from model_build.settings import how_to_give
from tox_com_det.tokenizer import TokenizerRules

_ROW_TYPE = np.dtype("<f4")
_BLOCK_BYTES = 8 * 1024 * 1024
_EMBEDDING_OPTIONS = option_names(
    "name trainable dtype batch_input_shape batch_shape input_dtype build_config input_dim "
    "output_dim input_length mask_zero sparse embeddings_initializer embeddings_regularizer "
    "activity_regularizer embeddings_constraint"
)
_INPUT_OPTIONS = option_names(
    "name trainable dtype batch_input_shape batch_shape shape sparse ragged optional build_config"
)


@dataclass(frozen=True)
class Split:
    """A model taken apart: matrix [rows, dimension], its sequence length, the layers after it."""

    layer: Layer
    matrix: h5py.Dataset
    length: int | None
    rest: tuple[Layer, ...]

    @property
    def rows(self) -> int:
        return self.matrix.shape[0]

    @property
    def dimension(self) -> int:
        return self.matrix.shape[1]


def split_model(model: KerasModel) -> Split:
    """Take the Embedding off the front of a model.

    Raises:
        UnsupportedLayer: no Embedding in front, it masks, or an option that is not known.
        BuildError: its matrix is missing or not of the configured shape.
    """
    layers = list(model.layers)
    shape: list[int | None] | None = None
    if layers and layers[0].class_name == "InputLayer":
        shape = _input_shape(layers.pop(0))
    if not layers:
        raise BuildError(f"{model.path}: the model has no layers")
    layer, *rest = layers
    if layer.class_name != "Embedding":
        raise layer.unsupported("the first layer must be an Embedding, which is split off")
    _check_options(layer, _EMBEDDING_OPTIONS)
    check_dtype(layer)
    if layer.config.get("mask_zero"):
        raise layer.unsupported("mask_zero=True: masks are not converted")
    if layer.config.get("sparse"):
        raise layer.unsupported("sparse=True")
    length = _length(layer, shape)
    wanted = (layer.config.get("input_dim"), layer.config.get("output_dim"))
    matrix = model.weights(layer).get("embeddings")
    if matrix is None:
        raise BuildError(
            f"{model.path}: the matrix of layer {layer.position} (Embedding {layer.name!r}) is "
            "missing: save the model again with model.save()"
        )
    if matrix.shape != wanted or matrix.dtype.kind != "f":
        raise BuildError(
            f"{model.path}: the embedding {layer.name!r} has {matrix.dtype} of shape "
            f"{matrix.shape}, its configuration says float32 of shape {wanted}"
        )
    return Split(layer, matrix, length, tuple(rest))


def _length(layer: Layer, input_shape: list[int | None] | None) -> int | None:
    """The sequence length, from the first place that states one (functional models: the input)."""
    stated = layer.config.get("input_length")
    if isinstance(stated, list):
        stated = stated[0] if len(stated) == 1 else None
    shapes = (
        layer.config.get("batch_input_shape"),
        layer.config.get("batch_shape"),
        input_shape,
    )
    lengths = [stated, *(shape[1] for shape in shapes if shape is not None and len(shape) == 2)]
    return next((length for length in lengths if length is not None), None)


def _input_shape(layer: Layer) -> list[int | None]:
    _check_options(layer, _INPUT_OPTIONS)
    if layer.config.get("sparse") or layer.config.get("ragged"):
        raise layer.unsupported("sparse or ragged input")
    shape = layer.config.get("batch_input_shape") or layer.config.get("batch_shape")
    if not isinstance(shape, list) or len(shape) != 2:
        raise layer.unsupported(f"its shape is {shape!r}, wanted [None, sequence length]")
    return shape


def _check_options(layer: Layer, known: frozenset[str]) -> None:
    for option, value in layer.config.items():
        if option not in known and value is not None:
            raise layer.unsupported(f"its option {option}={value!r} is not known")


@dataclass(frozen=True)
class Vocabulary:
    """The words that a text can ever ask for, ascending by UTF-8 bytes, with their rows.

    `unreachable`: words that `num_words` cuts off; `unused_rows`: rows of the matrix without a
    word (row 0, padding, not counted).
    """

    words: list[tuple[str, int]]
    unreachable: int
    unused_rows: int


def vocabulary(words: dict[str, int], rules: TokenizerRules, rows: int) -> Vocabulary:
    """Choose the rows that go to the database.

    Raises:
        BuildError: a reachable word has no row, no word is reachable, or a word is no UTF-8.
    """
    reachable = [(word, index) for word, index in words.items() if rules.reachable(index)]
    beyond = [(index, word) for word, index in reachable if index >= rows]
    if beyond:
        index, word = max(beyond)
        raise BuildError(
            f"the word index does not fit the model: {len(beyond)} words such as {word!r} "
            f"(index {index}) are beyond the matrix of {rows} rows; give the num_words that the "
            f"tokenizer was made with, {how_to_give('num_words', f'{rows}?')}, or the right "
            "--word-index"
        )
    if not reachable:
        raise BuildError(
            f"no word of the index is below num_words={rules.num_words}: "
            f"give the right one, {how_to_give('num_words')}"
        )
    try:
        reachable.sort(key=lambda item: item[0].encode("utf-8"))
    except UnicodeEncodeError as error:
        raise BuildError(f"the word {error.object!r} of the index is not UTF-8 text") from error
    return Vocabulary(reachable, len(words) - len(reachable), rows - 1 - len(reachable))


class Rows:
    """Rows of the matrix as little-endian float32 bytes, read one at a time from a file."""

    def __init__(self, descriptor: int, offset: int, dimension: int, where: str) -> None:
        self._descriptor, self._offset, self._where = descriptor, offset, where
        self.size = dimension * _ROW_TYPE.itemsize

    def __getitem__(self, index: int) -> bytes:
        row = os.pread(self._descriptor, self.size, self._offset + index * self.size)
        if len(row) != self.size:
            raise BuildError(f"{self._where}: row {index} is cut off: copy the file again")
        if not np.isfinite(np.frombuffer(row, _ROW_TYPE)).all():
            raise BuildError(
                f"{self._where}: row {index} of the embedding holds NaN or infinity: "
                "train the model again"
            )
        return row


@contextmanager
def open_rows(matrix: h5py.Dataset, path: Path, scratch: Path) -> Iterator[Rows]:
    """Random access to the rows of `matrix`, a data set of the file `path`.

    Args:
        scratch: directory for a copy of the rows where the file cannot be read in place; the copy
            is removed afterwards.
    """
    offset = matrix.id.get_offset()
    where = str(path)
    if offset is not None and matrix.dtype == _ROW_TYPE and _in_place(matrix, path, offset):
        with path.open("rb", buffering=0) as file:
            yield Rows(file.fileno(), offset, matrix.shape[1], where)
        return
    copy = scratch / "rows.f4"
    try:
        with copy.open("w+b") as file:
            step = max(1, _BLOCK_BYTES // (matrix.shape[1] * _ROW_TYPE.itemsize))
            for start in range(0, matrix.shape[0], step):
                file.write(_block(matrix, start, start + step, where).tobytes())
            file.flush()
            yield Rows(file.fileno(), 0, matrix.shape[1], where)
    finally:
        copy.unlink(missing_ok=True)


def _block(matrix: h5py.Dataset, start: int, stop: int, where: str) -> np.ndarray:
    try:
        return np.asarray(matrix[start:stop]).astype(_ROW_TYPE)
    except OSError as error:
        reason = " ".join(str(error).split())
        raise BuildError(
            f"{where}: rows {start}-{stop} of the embedding cannot be read ({reason}): "
            "the file is damaged, copy it again"
        ) from error


def _in_place(matrix: h5py.Dataset, path: Path, offset: int) -> bool:
    """Whether the bytes at `offset` are the matrix: first and last row equal h5py's reading."""
    size = matrix.shape[1] * _ROW_TYPE.itemsize
    last = matrix.shape[0] - 1
    with path.open("rb") as file:
        for index in (0, last):
            file.seek(offset + index * size)
            if file.read(size) != _block(matrix, index, index + 1, str(path)).tobytes():
                return False
    return True
