"""Padding that no score depends on is left out, and only that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from keras_files import DIMENSION, Weights, head_of, layer

from controller.model_build.head import with_metadata
from controller.model_build.least_padding import least_padding
from controller.model_build.scoring import open_session, run

LENGTH, FILTERS = 20, 3
MakeH5 = Callable[..., Path]
NUMBERS = np.random.default_rng(15)


def convolution(name: str, size: int, **options: Any) -> dict[str, Any]:
    options = {"padding": "same", "activation": "relu"} | options
    return layer("Conv1D", name=name, filters=FILTERS, kernel_size=[size], use_bias=True, **options)


def head_with(make_h5: MakeH5, rows: Weights, *middle: dict[str, Any]) -> onnx.ModelProto:
    """The head of: Embedding, `middle`, Dense."""
    count = rows["embedding"]["embeddings"].shape[0]
    inner = [
        layer("Embedding", input_dim=count, output_dim=DIMENSION, input_length=LENGTH),
        *middle,
        layer("Dense", units=2, activation="sigmoid", use_bias=True),
    ]
    weights: Weights = dict(rows)
    channels = DIMENSION
    flat = False
    for one in middle:
        config = one["config"]
        if one["class_name"] == "Conv1D":
            shape = (config["kernel_size"][0], channels, FILTERS)
            weights[config["name"]] = {
                "kernel": NUMBERS.normal(size=shape).astype(np.float32),
                "bias": NUMBERS.normal(size=FILTERS).astype(np.float32),
            }
            channels = FILTERS
        flat = flat or one["class_name"] == "Flatten"
    size = channels * LENGTH if flat else channels
    weights["dense"] = {
        "kernel": NUMBERS.normal(size=(size, 2)).astype(np.float32),
        "bias": np.zeros(2, np.float32),
    }
    return head_of(make_h5(inner, weights))[0].proto


@pytest.fixture
def rows(small_weights: Weights) -> Weights:
    return {"embedding": small_weights["embedding"]}


@pytest.mark.parametrize(
    ("middle", "expected"),
    [
        ([layer("GlobalMaxPooling1D")], 1),
        ([convolution("one", 1), layer("GlobalMaxPooling1D")], 1),
        ([convolution("one", 5), layer("GlobalMaxPooling1D")], 5),
        ([convolution("one", 4, padding="valid"), layer("GlobalMaxPooling1D")], 4),
        ([convolution("one", 3, padding="causal"), layer("GlobalMaxPooling1D")], 3),
        ([convolution("one", 3, dilation_rate=[4]), layer("GlobalMaxPooling1D")], 9),
        ([convolution("one", 5, activation="tanh"), layer("GlobalMaxPooling1D")], 5),
        ([convolution("one", 3), convolution("two", 1), layer("GlobalMaxPooling1D")], 3),
    ],
)
@pytest.mark.parametrize("padding", ["pre", "post"])
def test_texts_have_the_same_scores_with_the_padding_that_is_needed(
    make_h5: MakeH5,
    rows: Weights,
    middle: list[dict[str, Any]],
    expected: int,
    padding: str,
) -> None:
    head = head_with(make_h5, rows, *middle)
    assert least_padding(head) == expected
    session = open_session(with_metadata(head, "sha256:00", ["a", "b"], LENGTH))
    pad = NUMBERS.normal(size=DIMENSION).astype(np.float32)
    for count in range(LENGTH - expected + 1):
        words = NUMBERS.normal(size=(count, DIMENSION)).astype(np.float32)
        scores = []
        for length in range(count + expected, LENGTH + 1):
            fill = np.tile(pad, (length - count, 1))
            whole = np.concatenate([fill, words] if padding == "pre" else [words, fill])
            scores.append(run(session, {"vectors": whole[None]})[0])
        assert np.ptp(np.array(scores), axis=0).max() <= 1e-6


@pytest.mark.parametrize(
    "middle",
    [
        [convolution("one", 3), convolution("two", 2), layer("GlobalMaxPooling1D")],
        [convolution("one", 3, strides=[2]), layer("GlobalMaxPooling1D")],
        [convolution("one", 3), layer("GlobalAveragePooling1D")],
        [convolution("one", 3), layer("MaxPooling1D", pool_size=[5]), layer("GlobalMaxPooling1D")],
        [convolution("one", 3), layer("Flatten")],
        [layer("GlobalAveragePooling1D")],
    ],
)
def test_a_head_that_may_count_its_padding_takes_whole_sequences_only(
    make_h5: MakeH5, rows: Weights, middle: list[dict[str, Any]]
) -> None:
    head = head_with(make_h5, rows, *middle)
    assert least_padding(head) is None
    file = onnx.load_from_string(with_metadata(head, "sha256:00", ["a", "b"], LENGTH))
    axes = file.graph.input[0].type.tensor_type.shape.dim
    assert [axes[1].dim_value, axes[1].dim_param] == [LENGTH, ""]
    assert "least_padding" not in {one.key for one in file.metadata_props}


def test_every_branch_of_a_graph_counts(make_h5: MakeH5, rows: Weights) -> None:
    head = head_with(make_h5, rows, convolution("one", 5), layer("GlobalMaxPooling1D"))
    # The same graph, whose sequence another branch averages.
    averaged = onnx.helper.make_node("ReduceMean", ["vectors"], ["mean"], axes=[1], keepdims=0)
    head.graph.node.append(averaged)
    assert least_padding(head) is None
