"""Fixtures of the tests of `model_build`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_files import (
    DIMENSION,
    LABELS,
    RECORDED,
    ROWS,
    Recorded,
    Weights,
    layer,
    recorded,
    write_h5,
)

from controller.model_build.build import BuildResult, build


@pytest.fixture(params=RECORDED)
def any_recorded(request: pytest.FixtureRequest) -> Recorded:
    return recorded(request.param)


@pytest.fixture
def author_valid() -> Recorded:
    return recorded("author_valid_keras2")


@pytest.fixture
def author_same() -> Recorded:
    return recorded("author_same_keras2")


@pytest.fixture
def word_index(tmp_path: Path) -> Path:
    """A word index for the recorded models: 39 words, not in alphabetical order."""
    words = ["idiot", "you", "are", "an", "thanks", "the", "kill", "für", "zebra", "a"]
    words += [f"word{number}" for number in range(ROWS - 1 - len(words))]
    path = tmp_path / "word_index.json"
    path.write_text(json.dumps({word: i for i, word in enumerate(words, start=1)}))
    return path


@pytest.fixture
def small_layers() -> list[dict[str, Any]]:
    return [
        layer("Embedding", input_dim=ROWS, output_dim=DIMENSION, input_length=8, mask_zero=False),
        layer("GlobalMaxPooling1D"),
        layer("Dense", units=2, activation="sigmoid", use_bias=True),
    ]


@pytest.fixture
def small_weights() -> Weights:
    random = np.random.default_rng(5)
    return {
        "embedding": {"embeddings": random.normal(size=(ROWS, DIMENSION)).astype(np.float32)},
        "dense": {
            "kernel": random.normal(size=(DIMENSION, 2)).astype(np.float32),
            "bias": np.zeros(2, np.float32),
        },
    }


@pytest.fixture
def make_h5(tmp_path: Path) -> Callable[..., Path]:
    def make(layers: list[dict[str, Any]], weights: Weights, **attributes: Any) -> Path:
        return write_h5(tmp_path / "model.h5", layers, weights, **attributes)

    return make


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where the bundle goes; nothing else is in its parent directory."""
    parent = tmp_path / "build"
    parent.mkdir()
    return parent / "bundle"


@pytest.fixture
def lines() -> list[str]:
    """The output of builds."""
    return []


@pytest.fixture
def make(
    author_same: Recorded, word_index: Path, out: Path, lines: list[str]
) -> Callable[..., BuildResult]:
    """A function that builds the author's layers with padding='same', with options of `build`."""

    def run(h5: Path = author_same.path, words: Path = word_index, **options: Any) -> BuildResult:
        options = {"labels": LABELS, "padding": "pre", "say": lines.append} | options
        return build(h5, words, out, **options)

    return run
