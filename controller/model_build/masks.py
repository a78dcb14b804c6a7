"""Converters of Masking, and of the operations that Keras 3 writes for a mask.

Keras 3 writes the mask of `mask_zero` as NotEqual, that of Masking as NotEqual and Any, and that of
Attention's result as ConvertToTensor.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import TensorProto

from controller.model_build.architecture import Layer
from controller.model_build.graph import TOKENS, Graph, Mask, Tensor
from controller.model_build.registry import converts, real_number, require, sequence_length

# Option under which a converter finds the constant that an operation was called with.
CONSTANT = "constant"


@converts("Masking", "mask_value")
def _masking(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    sequence_length(layer, x)
    x = graph.channels_last(x)
    valid = _any_channel(graph, _differs(graph, x.name, real_number(layer, "mask_value", 0.0)))
    spread = graph.node("Unsqueeze", [valid, graph.number([2], np.int64)])
    name = graph.node("Where", [spread, x.name, graph.number(0.0)])
    return replace(x, name=name, mask=Mask(valid))


def _differs(graph: Graph, x: str, value: float) -> str:
    """Bool [batch, length, channels]: which numbers are not `value`."""
    return graph.node("Not", [graph.node("Equal", [x, graph.number(value)])])


def _any_channel(graph: Graph, x: str) -> str:
    """Bool [batch, length]: which positions have any true number."""
    numbers = graph.node("Cast", [x], to=TensorProto.FLOAT)
    most = graph.node("ReduceMax", [numbers], axes=[2], keepdims=0)
    return graph.node("Cast", [most], to=TensorProto.BOOL)


@converts("NotEqual", CONSTANT, inputs="any")
def _not_equal(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    value = real_number(layer, CONSTANT)
    if x.kind == "indices":
        if value != 0:
            raise layer.unsupported(f"it compares word indices with {value:g}")
        return Tensor("", x.length, 1, kind="mask", mask=TOKENS)
    length = sequence_length(layer, x)
    name = _differs(graph, graph.channels_last(x).name, value)
    only = Mask(problem="it has one value per channel")
    return Tensor(name, length, x.channels, kind="mask", mask=only)


@converts("Any", "axis keepdims", inputs="mask")
def _any(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    axis, _ = require(layer, "axis", -1, [-1]), require(layer, "keepdims", False)
    if x.channels == 1 or not x.name:
        raise layer.unsupported(f"its option axis is {axis}")
    return replace(x, channels=1, mask=Mask(_any_channel(graph, x.name)))


@converts("ConvertToTensor", "sparse ragged", inputs="mask")
def _convert_to_tensor(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    require(layer, "sparse", None, False)
    require(layer, "ragged", None, False)
    return x
