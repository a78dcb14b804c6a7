"""Activation functions and activation layers.

Sources: Keras documentation of `activations` and of the activation layers; ONNX operators of
opset 15. `hard_sigmoid` is max(0, min(1, 0.2 x + 0.5)) up to Keras 2 and relu6(x + 3) / 6 from
Keras 3 on, so the version that wrote the file decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from controller.model_build.architecture import Layer
from controller.model_build.graph import Graph, Tensor
from controller.model_build.registry import converts, real_number

HARD_SIGMOID = {False: 0.2, True: 1.0 / 6.0}  # slope; key: whether Keras 3 wrote the file


def _swish(graph: Graph, x: str) -> str:
    return graph.node("Mul", [x, graph.node("Sigmoid", [x])])


def _gelu(graph: Graph, x: str) -> str:
    error = graph.node("Erf", [graph.node("Mul", [x, graph.number(math.sqrt(0.5))])])
    half = graph.node("Mul", [x, graph.number(0.5)])
    return graph.node("Mul", [half, graph.node("Add", [error, graph.number(1.0)])])


def _mish(graph: Graph, x: str) -> str:
    return graph.node("Mul", [x, graph.node("Tanh", [graph.node("Softplus", [x])])])


def _relu6(graph: Graph, x: str) -> str:
    return graph.node("Clip", [x, graph.number(0.0), graph.number(6.0)])


def _hard_sigmoid(graph: Graph, x: str) -> str:
    return graph.node("HardSigmoid", [x], alpha=HARD_SIGMOID[graph.model.is_keras_3], beta=0.5)


def _operator(name: str) -> Callable[[Graph, str], str]:
    return lambda graph, x: graph.node(name, [x])


_FUNCTIONS: dict[str, Callable[[Graph, str], str]] = {
    "relu": _operator("Relu"),
    "sigmoid": _operator("Sigmoid"),
    "tanh": _operator("Tanh"),
    "elu": _operator("Elu"),
    "selu": _operator("Selu"),
    "softplus": _operator("Softplus"),
    "softsign": _operator("Softsign"),
    "exponential": _operator("Exp"),
    "hard_sigmoid": _hard_sigmoid,
    "swish": _swish,
    "silu": _swish,
    "gelu": _gelu,
    "mish": _mish,
    "relu6": _relu6,
}
_FROM_0_TO_1 = ("sigmoid", "hard_sigmoid")


def activate(graph: Graph, layer: Layer, x: Tensor, name: Any) -> Tensor:
    """`x` after the activation of that name; None and `linear` change nothing.

    Raises:
        UnsupportedLayer: an activation that is not converted.
    """
    if name in (None, "linear"):
        return x
    if name == "softmax":
        return softmax(graph, x)
    if not isinstance(name, str) or name not in _FUNCTIONS:
        raise layer.unsupported(f"its activation is {name!r}")
    made = _FUNCTIONS[name](graph, x.name)
    if name in _FROM_0_TO_1:
        return replace(x, name=made, unit=True, logits=x.name)
    return replace(x, name=made, unit=False, logits=None)


def softmax(graph: Graph, x: Tensor) -> Tensor:
    """Softmax over the channels."""
    x = graph.channels_last(x)
    made = graph.node("Softmax", [x.name], axis=-1)
    return replace(x, name=made, unit=True, logits=x.name)


@converts("Activation", "activation", keeps_mask=True)
def _activation_layer(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    return activate(graph, layer, x, layer.config.get("activation"))


def _plain(x: Tensor, name: str) -> Tensor:
    return replace(x, name=name, unit=False, logits=None)


@converts("ReLU", "max_value negative_slope threshold", keeps_mask=True)
def _relu(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    slope = real_number(layer, "negative_slope", 0.0)
    threshold = real_number(layer, "threshold", 0.0)
    limit = graph.number(threshold)
    below = graph.node("Mul", [graph.node("Sub", [x.name, limit]), graph.number(slope)])
    name = graph.node("Where", [graph.node("Greater", [x.name, limit]), x.name, below])
    if layer.config.get("max_value") is not None:
        name = graph.node("Min", [name, graph.number(real_number(layer, "max_value"))])
    return _plain(x, name)


@converts("LeakyReLU", "alpha negative_slope", keeps_mask=True)
def _leaky_relu(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    option = "alpha" if "alpha" in layer.config else "negative_slope"
    slope = real_number(layer, option, 0.3)
    return _plain(x, graph.node("LeakyRelu", [x.name], alpha=slope))


@converts("ELU", "alpha", keeps_mask=True)
def _elu(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    return _plain(x, graph.node("Elu", [x.name], alpha=real_number(layer, "alpha", 1.0)))


@converts("ThresholdedReLU", "theta", keeps_mask=True)
def _thresholded_relu(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    theta = real_number(layer, "theta", 1.0)
    return _plain(x, graph.node("ThresholdedRelu", [x.name], alpha=theta))


@converts(
    "PReLU",
    "alpha_initializer alpha_regularizer alpha_constraint shared_axes",
    keeps_mask=True,
)
def _prelu(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    x = graph.channels_last(x)
    shape = [x.channels] if x.length is None else [x.length, x.channels]
    for axis in layer.config.get("shared_axes") or ():
        if not isinstance(axis, int) or not 1 <= axis <= len(shape):
            raise layer.unsupported(f"its option shared_axes is {layer.config['shared_axes']!r}")
        shape[axis - 1] = 1
    slope = graph.weight(layer, "alpha", tuple(shape))
    name = graph.node("PRelu", [x.name, graph.layer_constant(layer, "alpha", slope)])
    return _plain(x, name)


@converts("Softmax", "axis", keeps_mask=True)
def _softmax_layer(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    last = 1 if x.length is None else 2
    axis = layer.config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    if axis not in (-1, last):
        raise layer.unsupported(f"its option axis is {axis!r}")
    if x.mask is not None:
        raise layer.unsupported("its input has a mask (mask_zero=True of the Embedding)")
    return softmax(graph, x)
