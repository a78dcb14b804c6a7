"""How much padding a head needs: where more of it changes no score, the server leaves it out.

A convolution over a sequence sees a few neighbours at a time. Beyond as many positions of padding
as its window is wide, it returns the same numbers again and again, and a maximum over all positions
does not notice how often. So a text of 14 words costs 19 positions and not 100. Whatever else a
graph does with its positions, it gets all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import onnx
from onnx import helper

from tox_com_det.model.encode import VECTORS

# Operators that return a number for each one, whatever is beside it.
_POINTWISE = frozenset(
    [
        "Abs",
        "Elu",
        "Erf",
        "Exp",
        "HardSigmoid",
        "Identity",
        "LeakyRelu",
        "Neg",
        "Relu",
        "Selu",
        "Sigmoid",
        "Softplus",
        "Softsign",
        "Tanh",
    ]
)


@dataclass(frozen=True)
class _Sequence:
    """A value with an axis of positions; `window`: positions that one of its numbers depends on."""

    axis: int
    window: int


def least_padding(head: onnx.ModelProto) -> int | None:
    """Positions of padding beside the words from which on more of them change no score.

    None if the graph may notice how many there are: then it needs its whole length.
    """
    inputs = head.graph.input
    if len(inputs) != 1 or inputs[0].name != VECTORS:
        return None
    found = {VECTORS: _Sequence(1, 1)}
    least: int | None = None
    for node in head.graph.node:
        sequences = [found[name] for name in node.input if name in found]
        if not sequences:
            continue
        if node.input[0] not in found or len(sequences) > 1 or len(node.output) != 1:
            return None
        given = found[node.input[0]]
        if _is_maximum(node, given):
            least = max(least or 0, given.window)
            continue
        made = _next(node, given)
        if made is None:
            return None
        found[node.output[0]] = made
    return None if head.graph.output[0].name in found else least


def _next(node: onnx.NodeProto, given: _Sequence) -> _Sequence | None:
    """What an operator makes of a sequence; None if it is not understood."""
    options = _options(node)
    if node.op_type in _POINTWISE:
        return given
    if node.op_type == "Transpose" and options.get("perm") == [0, 2, 1]:
        return _Sequence(3 - given.axis, given.window)
    if node.op_type == "Conv" and given.axis == 2 and len(options["kernel_shape"]) == 1:
        width = (options["kernel_shape"][0] - 1) * options.get("dilations", [1])[0] + 1
        pads, strides = options.get("pads", [0, 0]), options.get("strides", [1])
        if strides != [1] or "auto_pad" in options:
            return None
        if width == 1 and not any(pads):
            return given
        # Zeros beside the output of a convolution would be seen by the next one.
        return _Sequence(2, width) if given.window == 1 else None
    return None


def _is_maximum(node: onnx.NodeProto, given: _Sequence) -> bool:
    return node.op_type == "ReduceMax" and _options(node).get("axes") == [given.axis]


def _options(node: onnx.NodeProto) -> dict[str, Any]:
    return {one.name: helper.get_attribute_value(one) for one in node.attribute}
