"""Converters of convolutions over a sequence, and over a plane such as positions x channels.

Sources: Keras layer documentation; ONNX operator Conv-11, whose kernel has the output channels
first. A depthwise convolution has a group per input channel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from controller.model_build.activations import activate
from controller.model_build.architecture import Layer
from controller.model_build.graph import Graph, Tensor
from controller.model_build.registry import (
    converts,
    pair,
    require,
    sequence_length,
    whole_number,
)
from controller.model_build.window_axes import all_pads, place_windows, plane

_OPTIONS = "kernel_size strides padding data_format dilation_rate activation use_bias"
_DEPTHWISE = (
    "depth_multiplier depthwise_initializer depthwise_regularizer depthwise_constraint "
    "pointwise_initializer pointwise_regularizer pointwise_constraint"
)


@converts("Conv1D", f"filters groups {_OPTIONS}")
def _conv1d(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    length = sequence_length(layer, x)
    require(layer, "data_format", "channels_last")
    filters, size = whole_number(layer, "filters"), whole_number(layer, "kernel_size")
    stride, dilation = whole_number(layer, "strides", 1), whole_number(layer, "dilation_rate", 1)
    groups = _groups(layer, x, filters)
    axis = place_windows(layer, length, (size - 1) * dilation + 1, stride, "causal")
    kernel = graph.weight(layer, "kernel", (size, x.channels // groups, filters))
    weights = [graph.layer_constant(layer, "kernel", kernel.transpose(2, 1, 0))]
    weights += _bias(graph, layer, filters)
    x = graph.channels_first(x)
    name = graph.node(
        "Conv",
        [x.name, *weights],
        kernel_shape=[size],
        strides=[stride],
        dilations=[dilation],
        pads=list(axis.pads),
        group=groups,
    )
    made = Tensor(name, axis.count, filters, channels_first=True)
    return activate(graph, layer, made, layer.config.get("activation"))


@converts("Conv2D", f"filters groups {_OPTIONS}", planes=True)
def _conv2d(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    sizes = plane(layer, x)
    require(layer, "data_format", "channels_last")
    filters, kernel_size = whole_number(layer, "filters"), pair(layer, "kernel_size")
    strides, dilations = pair(layer, "strides", 1), pair(layer, "dilation_rate", 1)
    groups = _groups(layer, x, filters)
    rows, columns = (
        place_windows(layer, sizes[i], (kernel_size[i] - 1) * dilations[i] + 1, strides[i])
        for i in (0, 1)
    )
    kernel = graph.weight(layer, "kernel", (*kernel_size, x.channels // groups, filters))
    weights = [graph.layer_constant(layer, "kernel", kernel.transpose(3, 2, 0, 1))]
    weights += _bias(graph, layer, filters)
    name = graph.node(
        "Conv",
        [graph.channels_first(x).name, *weights],
        kernel_shape=list(kernel_size),
        strides=list(strides),
        dilations=list(dilations),
        pads=all_pads((rows, columns)),
        group=groups,
    )
    made = Tensor(name, rows.count, filters, channels_first=True, width=columns.count)
    return activate(graph, layer, made, layer.config.get("activation"))


@converts("SeparableConv1D", f"filters groups {_OPTIONS} {_DEPTHWISE}")
@converts("DepthwiseConv1D", f"groups {_OPTIONS} {_DEPTHWISE}")
def _depthwise1d(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    length = sequence_length(layer, x)
    require(layer, "data_format", "channels_last")
    require(layer, "groups", 1, None)
    size, multiplier = (
        whole_number(layer, "kernel_size"),
        whole_number(layer, "depth_multiplier", 1),
    )
    stride, dilation = whole_number(layer, "strides", 1), whole_number(layer, "dilation_rate", 1)
    axis = place_windows(layer, length, (size - 1) * dilation + 1, stride)
    inner = x.channels * multiplier
    kernel = graph.weight(layer, "depthwise_kernel", (size, x.channels, multiplier))
    separable = layer.class_name == "SeparableConv1D"
    deep = kernel.transpose(1, 2, 0).reshape(inner, 1, size)
    weights = [graph.layer_constant(layer, "depthwise_kernel", deep)]
    name = graph.node(
        "Conv",
        [
            graph.channels_first(x).name,
            *weights,
            *([] if separable else _bias(graph, layer, inner)),
        ],
        kernel_shape=[size],
        strides=[stride],
        dilations=[dilation],
        pads=list(axis.pads),
        group=x.channels,
    )
    channels = inner
    if separable:
        channels = whole_number(layer, "filters")
        points: NDArray[np.float32] = graph.weight(layer, "pointwise_kernel", (1, inner, channels))
        flat = graph.layer_constant(layer, "pointwise_kernel", points.transpose(2, 1, 0))
        name = graph.node("Conv", [name, flat, *_bias(graph, layer, channels)], kernel_shape=[1])
    made = Tensor(name, axis.count, channels, channels_first=True)
    return activate(graph, layer, made, layer.config.get("activation"))


def _groups(layer: Layer, x: Tensor, filters: int) -> int:
    groups = whole_number(layer, "groups", 1)
    if x.channels % groups or filters % groups:
        raise layer.unsupported(f"its option groups is {groups}")
    return groups


def _bias(graph: Graph, layer: Layer, channels: int) -> list[str]:
    if not layer.config.get("use_bias", True):
        return []
    return [graph.layer_constant(layer, "bias", graph.weight(layer, "bias", (channels,)))]
