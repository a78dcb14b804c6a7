"""Converters of the layers that merge several values: sums, products, concatenation.

Source: Keras documentation of the merging layers; ONNX operators of opset 15.
"""

from __future__ import annotations

from collections.abc import Sequence

from controller.model_build.architecture import Layer
from controller.model_build.graph import Graph, Tensor
from controller.model_build.registry import converts


def _merged_mask(inputs: Sequence[Tensor]) -> str | None:
    masks = {x.mask for x in inputs}
    if len(masks) == 1:
        return inputs[0].mask
    # With some masks missing, Keras 2 uses the others and Keras 3 none.
    return "masked and unmasked values are merged before it"


_PAIRWISE = {"Add": "Add", "Subtract": "Sub", "Multiply": "Mul", "Average": "Add"}
_LISTWISE = {"Maximum": "Max", "Minimum": "Min"}


@converts("Add", inputs="many")
@converts("Subtract", inputs="many")
@converts("Multiply", inputs="many")
@converts("Average", inputs="many")
@converts("Maximum", inputs="many")
@converts("Minimum", inputs="many")
def _elementwise(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    inputs = [graph.channels_last(x) for x in inputs]
    first, kind = inputs[0], layer.class_name
    if len({(x.length, x.channels) for x in inputs}) > 1:
        raise layer.unsupported(f"its inputs have different shapes, {_shapes(inputs)}")
    if kind == "Subtract" and len(inputs) != 2:
        raise layer.unsupported(f"it takes {len(inputs)} inputs")
    if kind in _LISTWISE:
        name = graph.node(_LISTWISE[kind], [x.name for x in inputs])
    else:
        name = first.name
        for x in inputs[1:]:
            name = graph.node(_PAIRWISE[kind], [name, x.name])
        if kind == "Average":
            name = graph.node("Div", [name, graph.number(float(len(inputs)))])
    if graph.model.is_keras_3 and any(x.mask for x in inputs):
        raise layer.unsupported(
            "it merges masked values (mask_zero=True), which Keras 3 does differently"
        )
    unit = kind not in ("Add", "Subtract") and all(x.unit for x in inputs)
    return Tensor(name, first.length, first.channels, mask=_merged_mask(inputs), unit=unit)


@converts("Concatenate", "axis", inputs="many")
def _concatenate(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    inputs = [graph.channels_last(x) for x in inputs]
    names, axis = [x.name for x in inputs], layer.config.get("axis", -1)
    unit = all(x.unit for x in inputs)
    lengths, channels = {x.length for x in inputs}, {x.channels for x in inputs}
    last = 1 if lengths == {None} else 2
    if axis in (-1, last) and len(lengths) == 1:
        name = graph.node("Concat", names, axis=last)
        total = sum(x.channels for x in inputs)
        return Tensor(name, inputs[0].length, total, mask=_merged_mask(inputs), unit=unit)
    if axis in (1, -2) and len(channels) == 1 and None not in lengths:
        mask = "masked values are concatenated before it" if any(x.mask for x in inputs) else None
        total = sum(x.length for x in inputs if x.length is not None)
        name = graph.node("Concat", names, axis=1)
        return Tensor(name, total, inputs[0].channels, mask=mask, unit=unit)
    raise layer.unsupported(f"it concatenates the shapes {_shapes(inputs)} on axis {axis!r}")


def _shapes(inputs: Sequence[Tensor]) -> list[list[int]]:
    """Shapes of the inputs without their batch axis, for an error."""
    return [[x.length, x.channels] if x.length else [x.channels] for x in inputs]
