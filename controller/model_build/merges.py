"""Converters of the layers that merge several values: sums, products, concatenation.

Source: Keras documentation of the merging layers; ONNX operators of opset 15.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from controller.model_build.architecture import Layer
from controller.model_build.graph import Graph, Mask, Tensor
from controller.model_build.registry import converts


def _merged_mask(inputs: Sequence[Tensor]) -> Mask | None:
    masks = {x.mask for x in inputs}
    if len(masks) == 1:
        return inputs[0].mask
    # With some masks missing, Keras 2 uses the others and Keras 3 none.
    return Mask(problem="masked and unmasked values are merged before it")


_PAIRWISE = {"Add": "Add", "Subtract": "Sub", "Multiply": "Mul", "Average": "Add"}
_LISTWISE = {"Maximum": "Max", "Minimum": "Min"}


@converts("Add", inputs="many", planes=True)
@converts("Subtract", inputs="many", planes=True)
@converts("Multiply", inputs="many", planes=True)
@converts("Average", inputs="many", planes=True)
@converts("Maximum", inputs="many", planes=True)
@converts("Minimum", inputs="many", planes=True)
def _elementwise(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    inputs = [graph.channels_last(x) for x in inputs]
    first, kind = inputs[0], layer.class_name
    if len({x.shape for x in inputs}) > 1:
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
    return Tensor.shaped(name, first.shape, mask=_merged_mask(inputs), unit=unit)


@converts("Concatenate", "axis", inputs="many", planes=True)
def _concatenate(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    inputs = [graph.channels_last(x) for x in inputs]
    shapes, axis = [x.shape for x in inputs], layer.config.get("axis", -1)
    rank = len(shapes[0])
    place = axis - 1 if isinstance(axis, int) and axis > 0 else axis
    others = {_without(shape, place) for shape in shapes}
    if axis == 0 or len(others) > 1 or None in others:
        raise layer.unsupported(f"it concatenates the shapes {_shapes(inputs)} on axis {axis!r}")
    place %= rank
    name = graph.node("Concat", [x.name for x in inputs], axis=place + 1)
    shape = list(shapes[0])
    shape[place] = sum(one[place] for one in shapes)
    if place == rank - 1:
        mask = _merged_mask(inputs)
    else:
        problem = "masked values are concatenated before it"
        mask = Mask(problem=problem) if any(x.mask for x in inputs) else None
    return Tensor.shaped(name, shape, mask=mask, unit=all(x.unit for x in inputs))


def _without(shape: tuple[int, ...], place: Any) -> tuple[int, ...] | None:
    """The shape without one axis; None if it has no such axis."""
    if not isinstance(place, int) or not -len(shape) <= place < len(shape):
        return None
    return tuple(size for axis, size in enumerate(shape) if axis != place % len(shape))


def _shapes(inputs: Sequence[Tensor]) -> list[list[int]]:
    """Shapes of the inputs without their batch axis, for an error."""
    return [list(x.shape) for x in inputs]
