"""Reductions over up to 5,000 positions, against the same sums in float64.

The kernel makes differences of means as large as a trained model does: one unit in the last place
of a float32 mean changes a score by 1e-6.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_files import Weights, head_of, layer, write_h5

from controller.model_build.scoring import open_session, run

ROWS, CHANNELS, TEXTS = 50, 8, 16
Body = Callable[[np.ndarray], np.ndarray]


def whole_mean(x: np.ndarray) -> np.ndarray:
    return x.mean(axis=1)


def pooled(size: int, stride: int) -> Body:
    def body(x: np.ndarray) -> np.ndarray:
        starts = range(0, x.shape[1] - size + 1, stride)
        return np.stack([x[:, at : at + size].mean(axis=1) for at in starts], axis=1).max(axis=1)

    return body


def normalized(x: np.ndarray) -> np.ndarray:
    """GroupNormalization with one group, then the last position."""
    centered = x - x.mean(axis=(1, 2), keepdims=True)
    return (centered / np.sqrt((centered**2).mean(axis=(1, 2), keepdims=True) + 1e-3))[:, -1]


def average_layers(length: int) -> list[dict[str, Any]]:
    return [layer("GlobalAveragePooling1D")]


def convolved(length: int) -> list[dict[str, Any]]:
    """The mean over channels first, which a convolution leaves."""
    return [layer("UpSampling1D", size=1), layer("GlobalAveragePooling1D")]


CASES: dict[str, tuple[Callable[[int], list[dict[str, Any]]], Callable[[int], Body]]] = {
    "global average": (average_layers, lambda length: whole_mean),
    "global average of a copy": (convolved, lambda length: whole_mean),
    "one window": (
        lambda length: [layer("AveragePooling1D", pool_size=length), layer("Flatten")],
        lambda length: whole_mean,
    ),
    "overlapping windows": (
        lambda length: [
            layer("AveragePooling1D", pool_size=length // 2, strides=length // 4),
            layer("GlobalMaxPooling1D"),
        ],
        lambda length: pooled(length // 2, length // 4),
    ),
    "group normalization": (
        lambda length: [
            layer("GroupNormalization", groups=1, center=False, scale=False),
            layer("Cropping1D", cropping=[length - 1, 0]),
            layer("Flatten"),
        ],
        lambda length: normalized,
    ),
}


def written(path: Path, length: int, layers: list[dict[str, Any]]) -> tuple[Path, Weights]:
    random = np.random.default_rng(1)
    rows = random.normal(1.0, 0.3, (ROWS, CHANNELS)).astype(np.float32)
    kernel = 30 * random.normal(0.0, 1.0, (CHANNELS, 1))
    kernel = (kernel - kernel.mean()).astype(np.float32)
    front = layer("Embedding", input_dim=ROWS, output_dim=CHANNELS, input_length=length)
    weights = {"embedding": {"embeddings": rows}, "dense": {"kernel": kernel}}
    last = layer("Dense", units=1, activation="sigmoid", use_bias=False)
    return write_h5(path, [front, *layers, last], weights), weights


@pytest.mark.parametrize("length", [17, 128, 1000, 2000, 5000])
@pytest.mark.parametrize("name", CASES)
def test_scores_equal_float64_alone_and_in_a_batch(tmp_path, name, length):
    layers, body = CASES[name]
    path, weights = written(tmp_path / "model.h5", length, layers(length))
    head = head_of(path)[0]
    tokens = np.random.default_rng(2).integers(0, ROWS, (TEXTS, length))
    vectors = weights["embedding"]["embeddings"][tokens]
    wide = body(length)(vectors.astype(np.float64)) @ weights["dense"]["kernel"].astype(np.float64)
    expected = 1 / (1 + np.exp(-wide))
    session = open_session(head.proto.SerializeToString())
    batch = run(session, {"vectors": vectors})
    alone = np.concatenate([run(session, {"vectors": vectors[i : i + 1]}) for i in range(TEXTS)])
    np.testing.assert_allclose(batch, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(alone, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(alone, batch, rtol=1e-5, atol=1e-6)
    assert expected.max() - expected.min() > 0.05
