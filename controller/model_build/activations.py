"""Activation functions and activation layers.

Sources: Keras documentation of `activations` and of the activation layers; ONNX operators of
opset 15. `hard_sigmoid` is max(0, min(1, 0.2 x + 0.5)) up to Keras 2 and relu6(x + 3) / 6 from
Keras 3 on, so the version that wrote the file decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from controller.model_build.architecture import Layer
from controller.model_build.graph import Graph, Tensor
from controller.model_build.registry import REGISTRY, check_options, converts, real_number

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


def _hard_silu(graph: Graph, x: str) -> str:
    return graph.node("Mul", [x, graph.node("HardSigmoid", [x], alpha=1.0 / 6.0, beta=0.5)])


def _squareplus(graph: Graph, x: str) -> str:
    root = graph.node("Add", [graph.node("Mul", [x, x]), graph.number(4.0)])
    total = graph.node("Add", [x, graph.node("Sqrt", [root])])
    return graph.node("Mul", [total, graph.number(0.5)])


def _hard_tanh(graph: Graph, x: str) -> str:
    return graph.node("Clip", [x, graph.number(-1.0), graph.number(1.0)])


def _tanh_shrink(graph: Graph, x: str) -> str:
    return graph.node("Sub", [x, graph.node("Tanh", [x])])


def _log_sigmoid(graph: Graph, x: str) -> str:
    return graph.node("Neg", [graph.node("Softplus", [graph.node("Neg", [x])])])


def _sparse_sigmoid(graph: Graph, x: str) -> str:
    return graph.node("HardSigmoid", [x], alpha=0.5, beta=0.5)


def _sparse_plus(graph: Graph, x: str) -> str:
    # Between -1 and 1 it is ((x + 1) / 2) squared, and from there on x.
    clipped = graph.node("Clip", [x, graph.number(-1.0), graph.number(1.0)])
    half = graph.node("Mul", [graph.node("Add", [clipped, graph.number(1.0)]), graph.number(0.5)])
    beyond = graph.node("Relu", [graph.node("Sub", [x, graph.number(1.0)])])
    return graph.node("Add", [graph.node("Mul", [half, half]), beyond])


def _operator(name: str, **attributes: float) -> Callable[[Graph, str], str]:
    return lambda graph, x: graph.node(name, [x], **attributes)


FUNCTIONS: dict[str, Callable[[Graph, str], str]] = {
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
    "leaky_relu": _operator("LeakyRelu", alpha=0.2),
    "celu": _operator("Celu", alpha=1.0),
    "hard_silu": _hard_silu,
    "hard_swish": _hard_silu,
    "hard_tanh": _hard_tanh,
    "hard_shrink": _operator("Shrink", lambd=0.5, bias=0.0),
    "soft_shrink": _operator("Shrink", lambd=0.5, bias=0.5),
    "tanh_shrink": _tanh_shrink,
    "log_sigmoid": _log_sigmoid,
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": _sparse_sigmoid,
    "squareplus": _squareplus,
}
_FROM_0_TO_1 = ("sigmoid", "hard_sigmoid", "sparse_sigmoid")
# Layers that Keras takes as an activation as well.
_AS_ACTIVATION = ("ReLU", "LeakyReLU", "ELU", "ThresholdedReLU")


def activate(graph: Graph, layer: Layer, x: Tensor, name: Any) -> Tensor:
    """`x` after the activation of that name; None and `linear` change nothing.

    Raises:
        UnsupportedLayer: an activation that is not converted.
    """
    if name in (None, "linear"):
        return x
    if name == "softmax":
        return softmax(graph, x)
    if name == "log_softmax":
        x = graph.channels_last(x)
        made = graph.node("LogSoftmax", [x.name], axis=-1)
        return replace(x, name=made, unit=False, logits=None)
    if isinstance(name, dict) and name.get("class_name") in _AS_ACTIVATION:
        return _layer_as_activation(graph, layer, x, name)
    if not isinstance(name, str) or name not in FUNCTIONS:
        raise layer.unsupported(f"its activation is {name!r}")
    made = FUNCTIONS[name](graph, x.name)
    if name in _FROM_0_TO_1:
        return replace(x, name=made, unit=True, logits=x.name)
    return replace(x, name=made, unit=False, logits=None)


def _layer_as_activation(
    graph: Graph, layer: Layer, x: Tensor, written: Mapping[str, Any]
) -> Tensor:
    """`x` after a layer such as LeakyReLU that was given as `activation`."""
    kind, config = written["class_name"], written["config"]
    if written.get("registered_name") not in (None, kind):
        raise layer.unsupported(f"its activation is a custom class, {written['registered_name']}")
    entry = REGISTRY[kind]
    check_options(layer, config, entry.options)
    made: Tensor = entry.convert(graph, replace(layer, class_name=kind, config=config), x)
    return made


def softmax(graph: Graph, x: Tensor) -> Tensor:
    """Softmax over the channels."""
    x = graph.channels_last(x)
    made = graph.node("Softmax", [x.name], axis=-1)
    return replace(x, name=made, unit=True, logits=x.name)


@converts("Activation", "activation", keeps_mask=True, planes=True)
def _activation_layer(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    return activate(graph, layer, x, layer.config.get("activation"))


def _plain(x: Tensor, name: str) -> Tensor:
    return replace(x, name=name, unit=False, logits=None)


@converts("ReLU", "max_value negative_slope threshold", keeps_mask=True, planes=True)
def _relu(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    slope = real_number(layer, "negative_slope", 0.0)
    threshold = real_number(layer, "threshold", 0.0)
    limit = graph.number(threshold)
    below = graph.node("Mul", [graph.node("Sub", [x.name, limit]), graph.number(slope)])
    name = graph.node("Where", [graph.node("Greater", [x.name, limit]), x.name, below])
    if layer.config.get("max_value") is not None:
        name = graph.node("Min", [name, graph.number(real_number(layer, "max_value"))])
    return _plain(x, name)


@converts("LeakyReLU", "alpha negative_slope", keeps_mask=True, planes=True)
def _leaky_relu(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    option = "alpha" if "alpha" in layer.config else "negative_slope"
    slope = real_number(layer, option, 0.3)
    return _plain(x, graph.node("LeakyRelu", [x.name], alpha=slope))


@converts("ELU", "alpha", keeps_mask=True, planes=True)
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
    if x.mask is not None:
        raise layer.unsupported("its input has a mask (mask_zero=True of the Embedding)")
    if axis == 1 and len(x.shape) == last == 2:
        # Over the positions, as in attention that is written with plain layers.
        x = graph.channels_last(x)
        return _plain(x, graph.node("Softmax", [x.name], axis=1))
    if axis not in (-1, last):
        raise layer.unsupported(f"its option axis is {axis!r}")
    return softmax(graph, x)
