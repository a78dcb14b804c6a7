"""The sample model with 400,000 words of 300 numbers, seeded, that scores as the sample does.

The first 100 numbers of the sample's words are its own, all others are random; the convolutions
take the added numbers times zero. So head, vectors and database have the size of the article's
model, and the scores can be compared with those of the others.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from bench.serving.texts import SEED

WORDS, DIMENSION = 400_000, 300
_BLOCK = 8192
_EMBEDDING = "model_weights/embedding/embedding/embeddings"
_SETTINGS = "build_settings.json"


def make(h5: Path, word_index: Path, directory: Path) -> tuple[Path, Path]:
    """Write model, word index and settings into a directory, unless they are there.

    Args:
        h5: the sample model.
        word_index: its words.
        directory: for the three files.

    Returns:
        The model and its word index.
    """
    made, index = directory / h5.name, directory / word_index.name
    if index.exists():
        return made, index
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(h5.with_name(_SETTINGS), directory / _SETTINGS)
    with h5py.File(h5) as source, h5py.File(made, "w") as target:
        _copy(source, target)
    words: dict[str, int] = json.loads(word_index.read_text())
    added = range(max(words.values()) + 1, WORDS + 1)
    # The last of the three, so that an interrupted run begins anew.
    index.write_text(json.dumps(words | {f"seeded{number}": number for number in added}))
    return made, index


def _copy(source: h5py.File, target: h5py.File) -> None:
    rows = source[_EMBEDDING]
    dimension = rows.shape[1]
    for name, value in source.attrs.items():
        target.attrs[name] = value
    config = str(source.attrs["model_config"])
    for old, new in (
        (f'"input_dim": {rows.shape[0]}', f'"input_dim": {WORDS + 1}'),
        (f'"output_dim": {dimension}', f'"output_dim": {DIMENSION}'),
        (f"[null, 100, {dimension}]", f"[null, 100, {DIMENSION}]"),
    ):
        config = config.replace(old, new)
    target.attrs["model_config"] = config
    source.copy("model_weights", target)
    del target[_EMBEDDING]
    matrix = target.create_dataset(_EMBEDDING, (WORDS + 1, DIMENSION), "<f4")
    for start, block in _blocks(rows):
        matrix[start : start + len(block)] = block
    for layer in [name for name in source["model_weights"] if name.startswith("kernels")]:
        path = f"model_weights/{layer}/{layer}/kernel"
        kernel = source[path][()]
        wider = np.zeros((kernel.shape[0], DIMENSION, kernel.shape[2]), kernel.dtype)
        wider[:, :dimension] = kernel
        del target[path]
        target.create_dataset(path, data=wider)


def _blocks(rows: h5py.Dataset) -> Iterator[tuple[int, NDArray[np.float32]]]:
    numbers = np.random.default_rng(SEED)
    for start in range(0, WORDS + 1, _BLOCK):
        count = min(_BLOCK, WORDS + 1 - start)
        block = numbers.normal(0.0, 0.4, (count, DIMENSION)).astype("<f4")
        own = rows[start : start + count]
        block[: len(own), : own.shape[1]] = own
        yield start, block
