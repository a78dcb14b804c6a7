"""Converters of the layers that only move numbers: reshape, permute, repeat, cut, pad.

Source: Keras layer documentation; ONNX operators of opset 15.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np

from controller.model_build.architecture import Layer
from controller.model_build.graph import Graph, Tensor
from controller.model_build.registry import converts, require, sequence_length, whole_number


@converts("Flatten", "data_format", planes=True)
def _flatten(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    require(layer, "data_format", "channels_last")
    if x.length is None:
        return x
    x = graph.channels_last(x)
    name = graph.node("Flatten", [x.name], axis=1)
    return Tensor(name, None, math.prod(x.shape), unit=x.unit)


@converts("Reshape", "target_shape", planes=True)
def _reshape(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    target = layer.config.get("target_shape")
    if not _are_integers(target) or not 1 <= len(target) <= 3:
        raise layer.unsupported(f"its option target_shape is {target!r}")
    x, shape = graph.channels_last(x), list(target)
    if shape.count(-1) == 1:
        known = -math.prod(shape)
        shape[shape.index(-1)] = math.prod(x.shape) // known if known else 0
    if math.prod(shape) != math.prod(x.shape) or min(shape) < 1:
        raise layer.unsupported(f"it reshapes {list(x.shape)} to {target!r}")
    return Tensor.shaped(graph.shape(x.name, shape), shape, unit=x.unit)


@converts("Permute", "dims", planes=True)
def _permute(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    dims, x = layer.config.get("dims"), graph.channels_last(x)
    if not _are_integers(dims) or sorted(dims) != list(range(1, len(x.shape) + 1)):
        raise layer.unsupported(f"its option dims is {dims!r} for the shape {list(x.shape)}")
    name = graph.node("Transpose", [x.name], perm=[0, *dims])
    return Tensor.shaped(name, [x.shape[axis - 1] for axis in dims], unit=x.unit)


@converts("RepeatVector", "n")
def _repeat_vector(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    count = whole_number(layer, "n")
    if x.length is not None:
        raise layer.unsupported("its input is a sequence")
    row = graph.shape(x.name, [1, x.channels])
    name = graph.node("Tile", [row, graph.number([1, count, 1], np.int64)])
    return Tensor(name, count, x.channels, unit=x.unit)


@converts("UpSampling1D", "size")
def _up_sampling1d(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    length, size = sequence_length(layer, x), whole_number(layer, "size", 2)
    return _positions(graph, layer, x, np.repeat(np.arange(length), size))


@converts("Cropping1D", "cropping")
def _cropping1d(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    length = sequence_length(layer, x)
    start, end = _two_sides(layer, "cropping")
    if start + end >= length:
        raise layer.unsupported(f"it cuts {start + end} of {length} positions")
    return _positions(graph, layer, x, np.arange(start, length - end))


@converts("ZeroPadding1D", "padding data_format")
def _zero_padding1d(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    length = sequence_length(layer, x)
    require(layer, "data_format", "channels_last", None)
    start, end = _two_sides(layer, "padding")
    x = graph.channels_last(x)
    name = graph.node("Pad", [x.name, graph.number([0, start, 0, 0, end, 0], np.int64)])
    return Tensor(name, start + length + end, x.channels, unit=x.unit)


def _positions(graph: Graph, layer: Layer, x: Tensor, chosen: Any) -> Tensor:
    x = graph.channels_last(x)
    places = graph.layer_constant(layer, "positions", chosen.astype(np.int64))
    name = graph.node("Gather", [x.name, places], axis=1)
    return Tensor(name, len(chosen), x.channels, unit=x.unit)


def _two_sides(layer: Layer, option: str) -> tuple[int, int]:
    """A number for both sides, or one for each."""
    value = layer.config.get(option, 1)
    value = [value, value] if isinstance(value, int) else value
    if not _are_integers(value) or len(value) != 2 or min(value) < 0:
        raise layer.unsupported(f"its option {option} is {layer.config.get(option)!r}")
    return value[0], value[1]


def _are_integers(value: Any) -> TypeGuard[Sequence[int]]:
    return (
        isinstance(value, (list, tuple))
        and bool(value)
        and all(isinstance(one, int) and not isinstance(one, bool) for one in value)
    )
