"""Converters of the layers without state: embedding, convolution, pooling, dense, normalization.

Sources: Keras layer documentation; ONNX operators of opset 15 (Conv-11, MaxPool-12, AveragePool-11,
MatMul-13); padding `same` as in TensorFlow's `nn_ops` (the odd cell goes to the end, and padded
cells do not count in an average).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from controller.model_build.activations import activate
from controller.model_build.architecture import Layer
from controller.model_build.errors import BuildError
from controller.model_build.graph import TOKENS, Graph, Tensor
from controller.model_build.registry import (
    converts,
    real_number,
    require,
    sequence_length,
    whole_number,
)
from tox_com_det.model.encode import INDICES, VECTORS

_MAX_HEAD_BYTES = 1024 * 1024 * 1024


@converts(
    "Embedding",
    "output_dim mask_zero sparse embeddings_initializer embeddings_regularizer "
    "embeddings_constraint",
    inputs="indices",
)
def _embedding(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    if layer.config.get("sparse"):
        raise layer.unsupported("its option sparse is True")
    rows, channels = whole_number(layer, "input_dim"), whole_number(layer, "output_dim")
    mask = TOKENS if layer.config.get("mask_zero") else None
    matrix = graph.model.dataset(layer, "embeddings", (rows, channels))
    if graph.mode == "split":
        if graph.embedding is not None and graph.embedding.path != layer.path:
            raise layer.unsupported(
                f"the model has two embeddings (the other one is {graph.embedding.name!r}), but "
                "mode split supports one: build with --mode whole"
            )
        graph.embedding = layer
        return Tensor(VECTORS, x.length, channels, mask=mask)
    kept = min(rows, graph.rows or rows)
    if 4 * kept * channels > _MAX_HEAD_BYTES:
        raise BuildError(
            f"{graph.model.path}: the embedding matrix of {kept} x {channels} is too large for "
            "mode whole: build with --mode split"
        )
    graph.embedding = graph.embedding or layer
    values = np.asarray(matrix[:kept]).astype(np.float32)
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        raise BuildError(
            f"{graph.model.path}: row {row} of the embedding contains NaN or infinity: "
            "train the model again"
        )
    name = graph.node("Gather", [graph.layer_constant(layer, "embeddings", values), INDICES])
    return Tensor(name, x.length, channels, mask=mask)


@converts("NotEqual", inputs="indices")
def _not_equal(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    # Keras 3 writes the mask of mask_zero as this layer.
    return Tensor("", x.length, 1, kind="mask", mask=TOKENS)


def _padded(
    layer: Layer, length: int, window: int, stride: int, *more: str
) -> tuple[int, list[int]]:
    """Length of the result, and the number of cells to pad at the start and at the end."""
    padding = require(layer, "padding", "valid", "same", *more)
    if padding == "same":
        result = -(-length // stride)
        missing = max((result - 1) * stride + window - length, 0)
        return result, [missing // 2, missing - missing // 2]
    pads = [window - 1, 0] if padding == "causal" else [0, 0]
    length += sum(pads)
    if length < window:
        raise layer.unsupported(
            f"its window of {window} is wider than its input of {length} positions"
        )
    return (length - window) // stride + 1, pads


@converts(
    "Conv1D",
    "filters kernel_size strides padding data_format dilation_rate groups activation use_bias",
)
def _conv1d(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    length = sequence_length(layer, x)
    require(layer, "data_format", "channels_last")
    filters, size = whole_number(layer, "filters"), whole_number(layer, "kernel_size")
    stride, dilation = whole_number(layer, "strides", 1), whole_number(layer, "dilation_rate", 1)
    groups = whole_number(layer, "groups", 1)
    if x.channels % groups or filters % groups:
        raise layer.unsupported(f"its option groups is {groups}")
    result, pads = _padded(layer, length, (size - 1) * dilation + 1, stride, "causal")
    kernel = graph.weight(layer, "kernel", (size, x.channels // groups, filters))
    weights = [graph.layer_constant(layer, "kernel", kernel.transpose(2, 1, 0))]
    if layer.config.get("use_bias", True):
        weights.append(graph.layer_constant(layer, "bias", graph.weight(layer, "bias", (filters,))))
    x = graph.channels_first(x)
    name = graph.node(
        "Conv",
        [x.name, *weights],
        kernel_shape=[size],
        strides=[stride],
        dilations=[dilation],
        pads=pads,
        group=groups,
    )
    made = Tensor(name, result, filters, channels_first=True)
    return activate(graph, layer, made, layer.config.get("activation"))


@converts("MaxPooling1D", "pool_size strides padding data_format")
@converts("AveragePooling1D", "pool_size strides padding data_format")
def _pooling1d(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    length = sequence_length(layer, x)
    require(layer, "data_format", "channels_last")
    size = whole_number(layer, "pool_size", 2)
    stride = whole_number(layer, "strides", size)
    result, pads = _padded(layer, length, size, stride)
    x = graph.channels_first(x)
    # A padded cell never wins a maximum and does not count in an average, as in TensorFlow.
    operator = {"MaxPooling1D": "MaxPool", "AveragePooling1D": "AveragePool"}[layer.class_name]
    name = graph.node(operator, [x.name], kernel_shape=[size], strides=[stride], pads=pads)
    return Tensor(name, result, x.channels, channels_first=True, unit=x.unit)


@converts("GlobalMaxPooling1D", "data_format keepdims")
@converts("GlobalAveragePooling1D", "data_format keepdims")
def _global_pooling1d(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    sequence_length(layer, x)
    require(layer, "data_format", "channels_last")
    require(layer, "keepdims", False)
    average = layer.class_name == "GlobalAveragePooling1D"
    if average and x.mask is not None:
        raise layer.unsupported(
            "it averages a masked input (mask_zero=True of the Embedding), which gives NaN in "
            "Keras for a text without a known word"
        )
    axis = 2 if x.channels_first else 1
    operator = "ReduceMean" if average else "ReduceMax"
    name = graph.node(operator, [x.name], axes=[axis], keepdims=0)
    return Tensor(name, None, x.channels, unit=x.unit)


@converts("Dense", "units activation use_bias", keeps_mask=True)
def _dense(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    units = whole_number(layer, "units")
    x = graph.channels_last(x)  # Keras multiplies along the last axis, also of a sequence
    kernel = graph.weight(layer, "kernel", (x.channels, units))
    name = graph.node("MatMul", [x.name, graph.layer_constant(layer, "kernel", kernel)])
    if layer.config.get("use_bias", True):
        bias = graph.weight(layer, "bias", (units,))
        name = graph.node("Add", [name, graph.layer_constant(layer, "bias", bias)])
    made = Tensor(name, x.length, units, mask=x.mask)
    return activate(graph, layer, made, layer.config.get("activation"))


@converts(
    "BatchNormalization",
    "axis momentum epsilon center scale beta_initializer gamma_initializer "
    "moving_mean_initializer moving_variance_initializer beta_regularizer gamma_regularizer "
    "beta_constraint gamma_constraint renorm renorm_clipping renorm_momentum fused "
    "virtual_batch_size adjustment synchronized",
    keeps_mask=True,
)
def _batch_normalization(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    axis = layer.config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    if axis not in (-1, 1 if x.length is None else 2):
        raise layer.unsupported(f"its option axis is {axis!r}")
    for option in ("renorm", "synchronized"):
        require(layer, option, False, None)
    weights = {
        name: graph.weight(layer, name, (x.channels,)).astype(np.float64)
        for name in graph.model.weights(layer)
    }
    one, zero = np.float64(1.0), np.float64(0.0)
    scale: NDArray[np.float64] = weights.get("gamma", one) / np.sqrt(
        weights["moving_variance"] + real_number(layer, "epsilon", 1e-3)
    )
    shift: NDArray[np.float64] = weights.get("beta", zero) - weights["moving_mean"] * scale
    x = graph.channels_last(x)
    if not (np.isfinite(scale).all() and np.isfinite(shift).all()):
        raise BuildError(
            f"{graph.model.path}: layer {layer.position} ({layer.name!r}) divides by a variance "
            "of zero: train the model again"
        )
    factors = graph.layer_constant(layer, "scale", scale.astype(np.float32))
    name = graph.node("Mul", [x.name, factors])
    terms = graph.layer_constant(layer, "shift", shift.astype(np.float32))
    return replace(x, name=graph.node("Add", [name, terms]), unit=False, logits=None)


@converts("Flatten", "data_format")
def _flatten(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    require(layer, "data_format", "channels_last")
    length = x.length
    if length is None:
        return x
    x = graph.channels_last(x)
    name = graph.node("Flatten", [x.name], axis=1)
    return Tensor(name, None, length * x.channels, unit=x.unit)


@converts("Dropout", "rate noise_shape", keeps_mask=True)
@converts("SpatialDropout1D", "rate noise_shape data_format", keeps_mask=True)
@converts("AlphaDropout", "rate noise_shape", keeps_mask=True)
@converts("GaussianDropout", "rate", keeps_mask=True)
@converts("GaussianNoise", "stddev", keeps_mask=True)
@converts("ActivityRegularization", "l1 l2", keeps_mask=True)
def _only_in_training(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    return x
