"""Converters of normalizations: with recorded statistics, or with those of a text itself.

Source: Keras layer documentation. The variance is the mean square of the differences from the mean.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from controller.model_build.architecture import Layer
from controller.model_build.errors import BuildError
from controller.model_build.graph import Graph, Tensor
from controller.model_build.reductions import mean
from controller.model_build.registry import (
    converts,
    real_number,
    require,
    sequence_length,
    whole_number,
)

_AFFINE = (
    "center scale beta_initializer gamma_initializer beta_regularizer gamma_regularizer "
    "beta_constraint gamma_constraint"
)


@converts(
    "BatchNormalization",
    f"axis momentum epsilon {_AFFINE} moving_mean_initializer moving_variance_initializer renorm "
    "renorm_clipping renorm_momentum fused virtual_batch_size adjustment synchronized",
    keeps_mask=True,
    planes=True,
)
def _batch_normalization(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    require_last_axis(layer, x)
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


def require_last_axis(layer: Layer, x: Tensor) -> None:
    """Refuse a layer that works along another axis than the channels.

    Raises:
        UnsupportedLayer: its option axis is another one.
    """
    axis = layer.config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    if axis not in (-1, len(x.shape)):
        raise layer.unsupported(f"its option axis is {axis!r}")


@converts("LayerNormalization", f"axis epsilon rms_scaling {_AFFINE}", keeps_mask=True, planes=True)
def _layer_normalization(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    require_last_axis(layer, x)
    require(layer, "rms_scaling", False)
    x = graph.channels_last(x)
    name = _standard(graph, layer, x.name, [-1], x.channels)
    return replace(x, name=_affine(graph, layer, name, x.channels), unit=False, logits=None)


@converts("GroupNormalization", f"groups axis epsilon {_AFFINE}", keeps_mask=True)
def _group_normalization(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    require_last_axis(layer, x)
    length = sequence_length(layer, x)
    groups = layer.config.get("groups", 32)
    groups = x.channels if groups == -1 else whole_number(layer, "groups", 32)
    if x.channels % groups:
        raise layer.unsupported(f"its option groups is {groups} for {x.channels} channels")
    if x.mask is not None and not graph.model.is_keras_3:
        raise layer.unsupported("its input has a mask, by which Keras 2 weighs the statistics")
    x = graph.channels_last(x)
    size = x.channels // groups
    name = graph.shape(x.name, [length, groups, size])
    name = _standard(graph, layer, name, [1, 3], size * length)
    name = _affine(graph, layer, graph.shape(name, x.shape), x.channels)
    return replace(x, name=name, unit=False, logits=None)


def _standard(graph: Graph, layer: Layer, x: str, axes: list[int], count: int) -> str:
    """`x` with mean 0 and variance 1 over the axes."""
    centered = graph.node("Sub", [x, mean(graph, x, axes, count, keepdims=True)])
    square = graph.node("Mul", [centered, centered])
    variance = mean(graph, square, axes, count, keepdims=True)
    epsilon = graph.number(real_number(layer, "epsilon", 1e-3))
    deviation = graph.node("Sqrt", [graph.node("Add", [variance, epsilon])])
    return graph.node("Div", [centered, deviation])


def _affine(graph: Graph, layer: Layer, x: str, channels: int) -> str:
    for option, weight, operator in (("scale", "gamma", "Mul"), ("center", "beta", "Add")):
        if layer.config.get(option, True):
            values = graph.weight(layer, weight, (channels,))
            x = graph.node(operator, [x, graph.layer_constant(layer, weight, values)])
    return x


@converts("UnitNormalization", "axis", keeps_mask=True)
def _unit_normalization(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    require_last_axis(layer, x)
    x = graph.channels_last(x)
    square = graph.node("Mul", [x.name, x.name])
    total = graph.node("ReduceSum", [square, graph.number([-1], np.int64)], keepdims=1)
    # The shortest length that is told from zero; Keras 2 compares its square.
    least = 1e-12 if graph.model.is_keras_3 else 1e-6
    length = graph.node("Max", [graph.node("Sqrt", [total]), graph.number(least)])
    return replace(x, name=graph.node("Div", [x.name, length]), unit=False, logits=None)


@converts("Rescaling", "scale offset", planes=True)
def _rescaling(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    scale, offset = real_number(layer, "scale"), real_number(layer, "offset", 0.0)
    name = graph.node("Mul", [x.name, graph.number(scale)])
    name = graph.node("Add", [name, graph.number(offset)])
    mask = x.mask if graph.model.is_keras_3 else None  # Keras 2 drops it
    return replace(x, name=name, unit=False, logits=None, mask=mask)
