"""Converters of pools over a sequence and over a plane.

Sources: Keras layer documentation; ONNX operators MaxPool-12, AveragePool-11; a padded cell never
wins a maximum and does not count in an average, as in TensorFlow.
"""

from __future__ import annotations

from controller.model_build.architecture import Layer
from controller.model_build.graph import Graph, Tensor
from controller.model_build.reductions import SHORT, masked_mean, mean, windowed_mean
from controller.model_build.registry import (
    converts,
    pair,
    require,
    sequence_length,
    whole_number,
)
from controller.model_build.window_axes import all_pads, place_windows, plane

# Of an average over a plane, which ONNX Runtime adds up in float32.
_MOST_NUMBERS = 128
_OPTIONS = "pool_size strides padding data_format"


@converts("MaxPooling1D", _OPTIONS)
@converts("AveragePooling1D", _OPTIONS)
def _pooling1d(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    length = sequence_length(layer, x)
    require(layer, "data_format", "channels_last")
    size = whole_number(layer, "pool_size", 2)
    stride = whole_number(layer, "strides", size)
    axis = place_windows(layer, length, size, stride)
    operator = _operator(layer)
    if operator == "AveragePool" and size > SHORT:
        x = graph.channels_last(x)
        return Tensor(
            windowed_mean(graph, layer, x.name, *axis.bounds()), axis.count, x.channels, unit=x.unit
        )
    x = graph.channels_first(x)
    name = graph.node(
        operator, [x.name], kernel_shape=[size], strides=[stride], pads=list(axis.pads)
    )
    return Tensor(name, axis.count, x.channels, channels_first=True, unit=x.unit)


@converts("MaxPooling2D", _OPTIONS, planes=True)
@converts("AveragePooling2D", _OPTIONS, planes=True)
def _pooling2d(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    sizes = plane(layer, x)
    require(layer, "data_format", "channels_last")
    size = pair(layer, "pool_size", 2)
    strides = pair(layer, "strides") if layer.config.get("strides") is not None else size
    rows, columns = (place_windows(layer, sizes[i], size[i], strides[i]) for i in (0, 1))
    operator = _operator(layer)
    if operator == "AveragePool" and size[0] * size[1] > _MOST_NUMBERS:
        raise layer.unsupported(
            f"it averages windows of {size[0]} x {size[1]}, more than {_MOST_NUMBERS} numbers"
        )
    x = graph.channels_first(x)
    name = graph.node(
        operator,
        [x.name],
        kernel_shape=list(size),
        strides=list(strides),
        pads=all_pads((rows, columns)),
    )
    return Tensor(
        name, rows.count, x.channels, channels_first=True, unit=x.unit, width=columns.count
    )


def _operator(layer: Layer) -> str:
    return "AveragePool" if layer.class_name.startswith("Average") else "MaxPool"


@converts("GlobalMaxPooling1D", "data_format keepdims")
@converts("GlobalAveragePooling1D", "data_format keepdims")
def _global_pooling1d(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    length = sequence_length(layer, x)
    require(layer, "data_format", "channels_last")
    keep = require(layer, "keepdims", False, True)
    axis, mask = 2 if x.channels_first else 1, x.mask
    if layer.class_name == "GlobalMaxPooling1D":
        name = graph.node("ReduceMax", [x.name], axes=[axis], keepdims=0)
    elif mask is None:
        name = mean(graph, x.name, [axis], length)
    else:
        x = graph.channels_last(x)
        name = masked_mean(graph, x.name, graph.positions(layer, mask))
        graph.remarks.append(
            f"layer {layer.position} ({layer.class_name} {layer.name!r}) averages the known words "
            "of a text; for a text without one Keras divides 0 by 0, which gives NaN or what a "
            "later layer makes of it, and the head takes 0"
        )
    if keep:
        return Tensor(graph.shape(name, [1, x.channels]), 1, x.channels, unit=x.unit)
    return Tensor(name, None, x.channels, unit=x.unit)


@converts("GlobalMaxPooling2D", "data_format keepdims", planes=True)
@converts("GlobalAveragePooling2D", "data_format keepdims", planes=True)
def _global_pooling2d(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    length, width = plane(layer, x)
    require(layer, "data_format", "channels_last")
    keep = require(layer, "keepdims", False, True)
    axes = [2, 3] if x.channels_first else [1, 2]
    if layer.class_name == "GlobalMaxPooling2D":
        name = graph.node("ReduceMax", [x.name], axes=axes, keepdims=0)
    else:
        name = mean(graph, x.name, axes, length * width)
    if keep:
        shape = (1, 1, x.channels)
        return Tensor.shaped(graph.shape(name, shape), shape, unit=x.unit)
    return Tensor(name, None, x.channels, unit=x.unit)
