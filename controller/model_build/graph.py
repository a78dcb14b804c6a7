"""The ONNX graph while it is being built, and the registry of converters.

A converter turns one Keras class into operators of opset 15. A class or an option without an exact
counterpart is refused by name. To add a layer, write a converter and register it with the options
that it understands; an option that no converter knows is refused as well, so a newer Keras cannot
slip a new meaning past this module.

Keras keeps channels last, ONNX's Conv and MaxPool want them in the middle: a `Tensor` knows its
order and is transposed only where the next operator needs the other one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from controller.model_build.architecture import Layer
from controller.model_build.keras_file import KerasModel

VECTORS, INDICES, MASK = "vectors", "indices", "mask"

# What a mask of Keras can be here: none, "these positions are words", or not decidable.
TOKENS = "tokens"
Mode = Literal["split", "whole"]


@dataclass(frozen=True)
class Tensor:
    """A value in the graph without its batch axis.

    `length` is None for [batch, channels]; otherwise [batch, length, channels], or
    [batch, channels, length] where `channels_first`. `kind`: word indices and masks have no
    channels. `mask`: None, TOKENS, or words for why it is not known. `unit`: its numbers are
    scores from 0 to 1; `logits`: what they were before the activation that made them so.
    """

    name: str
    length: int | None
    channels: int
    channels_first: bool = False
    kind: Literal["values", "indices", "mask"] = "values"
    mask: str | None = None
    unit: bool = False
    logits: str | None = None


@dataclass
class Graph:
    """Nodes and weights collected so far; names are numbered, so equal models give equal bytes.

    `rows`: whole mode: how many rows of a matrix can be asked for. `embedding`: split mode: the
    layer whose rows come from outside.
    """

    model: KerasModel
    mode: Mode
    rows: int | None = None
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: dict[str, onnx.TensorProto] = field(default_factory=dict)
    embedding: Layer | None = None
    _mask: str | None = None

    def node(self, operator: str, inputs: Iterable[str], **attributes: Any) -> str:
        """Append an operator; returns the name of its first output."""
        return self.outputs(operator, inputs, 1, **attributes)[0]

    def outputs(
        self, operator: str, inputs: Iterable[str], count: int, **attributes: Any
    ) -> list[str]:
        """Append an operator; returns the names of its outputs."""
        name = f"{operator.lower()}_{len(self.nodes)}"
        names = [name, *(f"{name}_{number}" for number in range(1, count))]
        self.nodes.append(helper.make_node(operator, list(inputs), names, name, **attributes))
        return names

    def constant(self, name: str, values: np.ndarray) -> str:
        """A weight; a layer that is called twice has it once."""
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def number(self, value: float | int | Sequence[int], dtype: type = np.float32) -> str:
        """A constant that belongs to no layer."""
        values = np.array(value, dtype)
        return self.constant(f"const/{values.dtype.name}/{value}".replace(" ", ""), values)

    def weight(self, layer: Layer, name: str, shape: tuple[int, ...]) -> np.ndarray:
        return self.model.array(layer, name, shape)

    def layer_constant(self, layer: Layer, name: str, values: np.ndarray) -> str:
        return self.constant("/".join((*layer.path, name)), values)

    def word_positions(self) -> str:
        """Bool [batch, length]: which positions hold a word, for the layers that ask."""
        if self._mask is None:
            if self.mode == "split":
                self._mask = self.node("Cast", [MASK], to=TensorProto.BOOL)
            else:
                padding = self.node("Equal", [INDICES, self.number(0, np.int32)])
                self._mask = self.node("Not", [padding])
        return self._mask

    @property
    def masked(self) -> bool:
        """Whether any layer asked which positions hold a word."""
        return self._mask is not None

    def channels_first(self, x: Tensor) -> Tensor:
        return x if x.channels_first else self._transpose(x)

    def channels_last(self, x: Tensor) -> Tensor:
        return self._transpose(x) if x.channels_first else x

    def _transpose(self, x: Tensor) -> Tensor:
        name = self.node("Transpose", [x.name], perm=[0, 2, 1])
        return replace(x, name=name, channels_first=not x.channels_first)


Converter = Callable[[Graph, Layer, Any], Tensor]


@dataclass(frozen=True)
class Entry:
    """A converter; `inputs`: what it takes, `keeps_mask`: whether Keras hands its mask on."""

    convert: Converter
    options: frozenset[str]
    inputs: Literal["values", "indices", "many"]
    keeps_mask: bool


REGISTRY: dict[str, Entry] = {}


def option_names(text: str) -> frozenset[str]:
    """The names of options in a line of text."""
    return frozenset(text.split())


# Options that say how a layer was trained or is called, never what it computes.
WITHOUT_EFFECT = option_names(
    "name trainable dtype batch_input_shape batch_shape input_dtype build_config seed input_shape "
    "kernel_initializer bias_initializer kernel_regularizer bias_regularizer "
    "activity_regularizer kernel_constraint bias_constraint input_dim input_length"
)


def converts(
    class_name: str,
    options: str = "",
    *,
    inputs: Literal["values", "indices", "many"] = "values",
    keeps_mask: bool = False,
) -> Callable[[Converter], Converter]:
    """Register a converter for a Keras class and the options that it takes into account."""

    def register(convert: Converter) -> Converter:
        REGISTRY[class_name] = Entry(convert, option_names(options), inputs, keeps_mask)
        return convert

    return register


def check_options(layer: Layer, config: dict[str, Any], known: frozenset[str]) -> None:
    """Refuse an option that is not known, and anything but float32: other types round otherwise."""
    for option, value in config.items():
        if option not in known and option not in WITHOUT_EFFECT and value is not None:
            raise layer.unsupported(f"its option {option}={value!r} is not known")
    dtype = config.get("dtype", "float32")
    if isinstance(dtype, dict):  # Keras 3: a DTypePolicy object
        dtype = dtype.get("config", {}).get("name")
    if dtype not in ("float32", None):
        raise layer.unsupported(f"it computes in {dtype}, only float32 is converted")


def whole_number(layer: Layer, option: str, default: int | None = None) -> int:
    """An integer option that Keras also writes as a list of one, such as `kernel_size: [5]`."""
    value = layer.config.get(option)
    value = default if value is None else value
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise layer.unsupported(f"its option {option} is {layer.config.get(option)!r}")
    return value


def real_number(layer: Layer, option: str, default: float | None = None) -> float:
    """A floating-point option."""
    value = layer.config.get(option)
    value = default if value is None else value
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise layer.unsupported(f"its option {option} is {layer.config.get(option)!r}")
    return float(value)


def require(layer: Layer, option: str, *allowed: Any) -> Any:
    """The value of an option, which is refused unless it is one of `allowed` (first = default)."""
    value = layer.config.get(option, allowed[0])
    if value not in allowed:
        raise layer.unsupported(f"its option {option} is {value!r}")
    return value


def sequence_length(layer: Layer, x: Tensor) -> int:
    """Length of the input, which must still be a sequence."""
    if x.length is None:
        raise layer.unsupported("it stands after the layer that ended the sequence")
    return x.length
