"""Build the ONNX head: every layer after the embedding, one converter per Keras class.

The graph takes `vectors` float32 [batch, length, dimension] and gives `scores` float32
[batch, labels]. A class or an option without an exact counterpart is refused by name. To add a
layer, write a converter and register it with the options that it understands; an option that no
converter knows is refused as well, so a newer Keras cannot slip a new meaning past this module.

Keras keeps channels last, ONNX's Conv and MaxPool want them in the middle: a `Tensor` knows its
order and is transposed only where the next operator needs the other one.
Sources: Keras layer documentation; ONNX operators of opset 15 (Conv-11, MaxPool-12, Gemm-13);
padding `same` as in TensorFlow's `nn_ops` (the odd cell goes to the end).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from model_build.errors import BuildError
from model_build.keras_h5 import KerasModel, Layer

OPSET = 15
IR_VERSION = 8
INPUT, OUTPUT = "vectors", "scores"

Converter = Callable[["Graph", Layer, "Tensor"], "Tensor"]


@dataclass(frozen=True)
class Tensor:
    """A value in the graph without its batch axis.

    `length` is None for [batch, channels]; otherwise [batch, length, channels], or
    [batch, channels, length] where `channels_first`.
    """

    name: str
    length: int | None
    channels: int
    channels_first: bool = False


@dataclass
class Graph:
    """Nodes and weights collected so far; names are numbered, so equal models give equal bytes."""

    model: KerasModel
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)

    def node(self, operator: str, inputs: Iterable[str], **attributes: Any) -> str:
        """Append an operator; returns the name of its only output."""
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name, **attributes))
        return name

    def constant(self, name: str, values: np.ndarray) -> str:
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def channels_first(self, x: Tensor) -> Tensor:
        return x if x.channels_first else self._transpose(x)

    def channels_last(self, x: Tensor) -> Tensor:
        return self._transpose(x) if x.channels_first else x

    def _transpose(self, x: Tensor) -> Tensor:
        name = self.node("Transpose", [x.name], perm=[0, 2, 1])
        return replace(x, name=name, channels_first=not x.channels_first)


@dataclass(frozen=True)
class _Entry:
    convert: Converter
    options: frozenset[str]


_REGISTRY: dict[str, _Entry] = {}


_ONLY_IN_TRAINING = frozenset({"Dropout", "SpatialDropout1D"})


def option_names(text: str) -> frozenset[str]:
    """The names of options in a line of text."""
    return frozenset(text.split())


# Options that say how a layer was trained or is called, never what it computes.
_WITHOUT_EFFECT = option_names(
    "name trainable dtype batch_input_shape batch_shape input_dtype build_config seed "
    "kernel_initializer bias_initializer kernel_regularizer bias_regularizer "
    "activity_regularizer kernel_constraint bias_constraint"
)


def converts(class_name: str, options: str = "") -> Callable[[Converter], Converter]:
    """Register a converter for a Keras class and the options that it takes into account."""

    def register(convert: Converter) -> Converter:
        _REGISTRY[class_name] = _Entry(convert, option_names(options))
        return convert

    return register


def supported_layers() -> list[str]:
    """Keras classes that can be part of a model."""
    return sorted({*_REGISTRY, "Embedding", "InputLayer"})


def build_head(
    model: KerasModel,
    layers: Iterable[Layer],
    length: int,
    dimension: int,
    *,
    logits: bool = False,
) -> tuple[onnx.ModelProto, int]:
    """Convert the layers after the embedding.

    Args:
        length, dimension: shape of the embedded sequence.
        logits: leave out the last activation (sigmoid and softmax saturate and hide effects),
            which otherwise must be one of these: the server takes scores from 0 to 1 alone.

    Returns:
        The checked ONNX model and its number of scores.

    Raises:
        UnsupportedLayer: a layer or option that is not converted exactly.
        BuildError: weights missing, of a wrong shape or not finite; no scores at the end.
    """
    layers = list(layers)
    if not layers:
        raise BuildError(f"{model.path}: nothing follows the Embedding: this is no classifier")
    last = next(
        (layer for layer in reversed(layers) if layer.class_name not in _ONLY_IN_TRAINING),
        layers[-1],
    )
    graph = Graph(model)
    x = Tensor(INPUT, length, dimension)
    for layer in layers:
        if logits and layer is last:
            layer = replace(layer, config=layer.config | {"activation": "linear"})
        x = _convert(graph, layer, x)
    if x.length is not None:
        raise BuildError(
            f"{model.path}: the model ends with shape [batch, {x.length}, {x.channels}], not with "
            "one row of scores per text: only classifiers of whole texts are served"
        )
    activation = last.config.get("activation")
    if not logits and activation not in ("sigmoid", "softmax"):
        raise last.unsupported(
            f"the scores come out of activation {activation!r}; the last one must be sigmoid or "
            "softmax, which give 0 to 1"
        )
    graph.nodes.append(helper.make_node("Identity", [x.name], [OUTPUT], "output"))
    proto = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "head",
            [_value(INPUT, ["batch", length, dimension])],
            [_value(OUTPUT, ["batch", x.channels])],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="tox_com_det model_build",
    )
    onnx.checker.check_model(proto, full_check=True)
    return proto, x.channels


def with_metadata(
    head: onnx.ModelProto, checksum: str, labels: Iterable[str], length: int
) -> bytes:
    """The head as a file, carrying the fingerprint of the embedding that it belongs to."""
    helper.set_model_props(
        head,
        {
            "embedding_checksum": checksum,
            "labels": json.dumps(list(labels), ensure_ascii=False),
            "sequence_length": str(length),
        },
    )
    return head.SerializeToString(deterministic=True)


def _value(name: str, shape: list[str | int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _convert(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    entry = _REGISTRY.get(layer.class_name)
    if entry is None:
        raise layer.unsupported("this class is not converted")
    for option, value in layer.config.items():
        known = option in entry.options or option in _WITHOUT_EFFECT
        if not known and value is not None:
            raise layer.unsupported(f"its option {option}={value!r} is not known")
    check_dtype(layer)
    return entry.convert(graph, layer, x)


def check_dtype(layer: Layer) -> None:
    """Refuse anything but float32: other types round differently."""
    dtype = layer.config.get("dtype", "float32")
    if isinstance(dtype, dict):  # Keras 3: a DTypePolicy object
        dtype = dtype.get("config", {}).get("name")
    if dtype not in ("float32", None):
        raise layer.unsupported(f"it computes in {dtype}, only float32 is converted")


def _one(layer: Layer, option: str, default: Any = None) -> int:
    """An integer option that Keras also writes as a list of one, such as `kernel_size: [5]`."""
    value = layer.config.get(option)
    value = default if value is None else value
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise layer.unsupported(f"its option {option} is {layer.config.get(option)!r}")
    return value


def _require(layer: Layer, option: str, *allowed: Any) -> Any:
    """The value of an option, which is refused unless it is one of `allowed` (first = default)."""
    value = layer.config.get(option, allowed[0])
    if value not in allowed:
        raise layer.unsupported(f"its option {option} is {value!r}")
    return value


def _sequence(layer: Layer, x: Tensor) -> int:
    if x.length is None:
        raise layer.unsupported("it stands after the layer that ended the sequence")
    return x.length


def _same_or_valid(layer: Layer, length: int, window: int, stride: int) -> tuple[int, list[int]]:
    """Length of the result, and the cells to pad in front and at the end."""
    if _require(layer, "padding", "valid", "same") == "valid":
        if length < window:
            raise layer.unsupported(f"its window of {window} is wider than the {length} positions")
        return (length - window) // stride + 1, [0, 0]
    result = -(-length // stride)
    missing = max((result - 1) * stride + window - length, 0)
    return result, [missing // 2, missing - missing // 2]


_ELEMENTWISE = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh"}


def _activation(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    name = layer.config.get("activation")
    if name in (None, "linear"):
        return x
    if name == "softmax":
        x = graph.channels_last(x)
        return replace(x, name=graph.node("Softmax", [x.name], axis=-1))
    if not isinstance(name, str) or name not in _ELEMENTWISE:
        raise layer.unsupported(f"its activation is {name!r}")
    return replace(x, name=graph.node(_ELEMENTWISE[name], [x.name]))


@converts(
    "Conv1D",
    "filters kernel_size strides padding data_format dilation_rate groups activation use_bias",
)
def _conv1d(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    length = _sequence(layer, x)
    _require(layer, "data_format", "channels_last")
    _require(layer, "groups", 1)
    filters, size = _one(layer, "filters"), _one(layer, "kernel_size")
    stride, dilation = _one(layer, "strides", 1), _one(layer, "dilation_rate", 1)
    result, pads = _same_or_valid(layer, length, (size - 1) * dilation + 1, stride)
    kernel = graph.model.array(layer, "kernel", (size, x.channels, filters))
    weights = [graph.constant(f"{layer.name}/kernel", kernel.transpose(2, 1, 0))]
    if layer.config.get("use_bias", True):
        bias = graph.model.array(layer, "bias", (filters,))
        weights.append(graph.constant(f"{layer.name}/bias", bias))
    x = graph.channels_first(x)
    name = graph.node(
        "Conv",
        [x.name, *weights],
        kernel_shape=[size],
        strides=[stride],
        dilations=[dilation],
        pads=pads,
    )
    return _activation(graph, layer, Tensor(name, result, filters, channels_first=True))


@converts("MaxPooling1D", "pool_size strides padding data_format")
def _max_pooling1d(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    length = _sequence(layer, x)
    _require(layer, "data_format", "channels_last")
    size = _one(layer, "pool_size", 2)
    stride = _one(layer, "strides", size)
    result, pads = _same_or_valid(layer, length, size, stride)
    x = graph.channels_first(x)
    # ONNX pads with minus infinity, as TensorFlow does: a padded cell never wins.
    name = graph.node("MaxPool", [x.name], kernel_shape=[size], strides=[stride], pads=pads)
    return replace(x, name=name, length=result)


@converts("GlobalMaxPooling1D", "data_format keepdims")
def _global_max_pooling1d(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    _sequence(layer, x)
    _require(layer, "data_format", "channels_last")
    _require(layer, "keepdims", False)
    axis = 2 if x.channels_first else 1
    name = graph.node("ReduceMax", [x.name], axes=[axis], keepdims=0)
    return Tensor(name, None, x.channels)


@converts("Dense", "units activation use_bias")
def _dense(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    units = _one(layer, "units")
    x = graph.channels_last(x)  # Keras multiplies the last axis, also of a sequence
    kernel = graph.model.array(layer, "kernel", (x.channels, units))
    name = graph.node("MatMul", [x.name, graph.constant(f"{layer.name}/kernel", kernel)])
    if layer.config.get("use_bias", True):
        bias = graph.model.array(layer, "bias", (units,))
        name = graph.node("Add", [name, graph.constant(f"{layer.name}/bias", bias)])
    return _activation(graph, layer, replace(x, name=name, channels=units))


@converts("Flatten", "data_format")
def _flatten(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    _require(layer, "data_format", "channels_last")
    if x.length is None:
        return x
    x = graph.channels_last(x)
    return Tensor(graph.node("Flatten", [x.name], axis=1), None, x.length * x.channels)


@converts("Activation", "activation")
def _activation_layer(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    return _activation(graph, layer, x)


@converts("Dropout", "rate noise_shape")
@converts("SpatialDropout1D", "rate noise_shape data_format")
def _dropout(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    return x  # only active while training
