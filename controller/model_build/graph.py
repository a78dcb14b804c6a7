"""The ONNX graph during a conversion, and the values in it.

Keras keeps channels last, while ONNX's Conv and MaxPool need them in the middle: a `Tensor` carries
its order and is transposed only where the next operator needs the other one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from controller.model_build.architecture import Layer
from controller.model_build.keras_model import KerasModel
from tox_com_det.model.encode import INDICES, MASK

Mode = Literal["split", "whole"]


@dataclass(frozen=True)
class Mask:
    """Which positions of a value Keras takes into account.

    Attributes:
        name: of a bool [batch, length] in the graph; "" for the positions with a word.
        problem: why it cannot be computed; "" if it can.
    """

    name: str = ""
    problem: str = ""


# The mask of `mask_zero`: the positions with a word.
TOKENS = Mask()


@dataclass(frozen=True)
class Tensor:
    """A value in the graph, described without its batch axis.

    Attributes:
        name: of the value in the graph.
        length: None for [batch, channels]; otherwise the value is [batch, length, channels].
        channels: size of the last axis in Keras.
        channels_first: whether the value is [batch, channels, length].
        width: of a plane [batch, length, width, channels], which layers such as Conv2D take.
        kind: word indices and masks have no channels.
        mask: None without a mask.
        unit: whether its numbers are scores from 0 to 1.
        logits: name of the value before the activation that made it scores.
    """

    name: str
    length: int | None
    channels: int
    channels_first: bool = False
    kind: Literal["values", "indices", "mask"] = "values"
    mask: Mask | None = None
    unit: bool = False
    logits: str | None = None
    width: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Its axes in Keras' order, without the batch axis."""
        inner = [size for size in (self.length, self.width) if size is not None]
        return (*inner, self.channels)

    @classmethod
    def shaped(cls, name: str, shape: Sequence[int], **more: Any) -> Tensor:
        """A value with the axes `shape`, one to three of them, channels last."""
        length = shape[0] if len(shape) > 1 else None
        width = shape[1] if len(shape) > 2 else None
        return cls(name, length, shape[-1], width=width, **more)


@dataclass
class Graph:
    """Nodes and weights so far; names are numbered, so equal models give equal bytes.

    Attributes:
        model: the Keras model.
        mode: `split` or `whole`.
        rows: mode whole: number of rows of the matrix that texts can refer to.
        embedding: the embedding layer, once it was converted.
        remarks: what is to be said about the conversion, one line each.
    """

    model: KerasModel
    mode: Mode
    rows: int | None = None
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: dict[str, onnx.TensorProto] = field(default_factory=dict)
    embedding: Layer | None = None
    remarks: list[str] = field(default_factory=list)
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

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add a weight under a name; a layer that is called twice has it once."""
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def number(self, value: float | Sequence[int], dtype: type = np.float32) -> str:
        """Add a constant that belongs to no layer."""
        values: NDArray[Any] = np.array(value, dtype)
        return self.constant(f"const/{values.dtype.name}/{value}".replace(" ", ""), values)

    def shape(self, x: str, sizes: Sequence[int]) -> str:
        """`x` with other axes behind the batch axis."""
        return self.node("Reshape", [x, self.number([0, *sizes], np.int64)])

    def weight(self, layer: Layer, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Read a weight of a layer; raises BuildError as `KerasModel.array`."""
        return self.model.array(layer, name, shape)

    def layer_constant(self, layer: Layer, name: str, values: NDArray[Any]) -> str:
        """Add a weight of a layer."""
        return self.constant("/".join((*layer.path, name)), values)

    def positions(self, layer: Layer, mask: Mask) -> str:
        """Bool [batch, length]: which positions count, for a layer that uses Keras' mask.

        Raises:
            UnsupportedLayer: the mask cannot be computed.
        """
        if mask.problem:
            raise layer.unsupported(f"the mask of its input cannot be computed: {mask.problem}")
        return mask.name or self._word_positions()

    def _word_positions(self) -> str:
        if self._mask is None:
            if self.mode == "split":
                self._mask = self.node("Cast", [MASK], to=TensorProto.BOOL)
            else:
                padding = self.node("Equal", [INDICES, self.number(0, np.int32)])
                self._mask = self.node("Not", [padding])
        return self._mask

    @property
    def masked(self) -> bool:
        """Whether any layer used the mask."""
        return self._mask is not None

    def channels_first(self, x: Tensor) -> Tensor:
        """`x` as [batch, channels, length], or [batch, channels, length, width]."""
        return x if x.channels_first else self._transpose(x)

    def channels_last(self, x: Tensor) -> Tensor:
        """`x` as Keras has it."""
        return self._transpose(x) if x.channels_first else x

    def _transpose(self, x: Tensor) -> Tensor:
        perm = [0, 2, 1]
        if x.width is not None:
            perm = [0, 2, 3, 1] if x.channels_first else [0, 3, 1, 2]
        name = self.node("Transpose", [x.name], perm=perm)
        return replace(x, name=name, channels_first=not x.channels_first)
