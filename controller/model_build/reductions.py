"""Means over many positions, exact to the last bits of float32.

A float32 sum grows with every term, and each addition then drops more of the next one. Largest
difference of a score from float64, as a share of the allowed 1e-6 + 1e-5 x score, for a mean over n
positions of 8 channels around 1 before a Dense with a kernel of size 30 (one text, and 16 at once):

| form | n = 100 | n = 1,000 | n = 5,000 | 5,000 positions of 100 channels take |
|---|---|---|---|---|
| ReduceMean in float32 | 0.2 | 3.8 | 2.3 | 0.44 ms |
| MatMul with 1/n | 0.1 | 1.4 | 1.5 | 0.10 ms |
| sums of sqrt(n) sums | 0.1 | 0.5 | 0.3 | 0.35 ms |
| ReduceMean in float64 | 0.1 | 0.2 | 0.1 | 0.81 ms |

With 100 channels every float32 form leaves the bound at 5,000 positions (23, 12, 2.9; float64 1.0),
and all but MatMul add up differently for one text and for several; a mean of 128 positions is off
by 3.7 of it there. So sums are made in float64, which costs at most half a millisecond and 8 bytes
per number while they last. Those of up to 16 terms keep float32, and so the bytes of their heads; a
Dense on many numbers stays in float32 as well, since ONNX Runtime adds up its products in blocks
(0.1 of the bound for 500,000 of them).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from controller.model_build.architecture import Layer
from controller.model_build.graph import Graph

# Terms of a mean, and of a product of matrices, that are still added up in float32.
SHORT = 16
SHORT_PRODUCT = 128


def mean(graph: Graph, x: str, axes: Sequence[int], count: int, *, keepdims: bool = False) -> str:
    """The mean of `count` numbers over the axes."""
    options = {"axes": list(axes), "keepdims": int(keepdims)}
    if count <= SHORT:
        return graph.node("ReduceMean", [x], **options)
    return narrow(graph, graph.node("ReduceMean", [wide(graph, x)], **options))


def wide(graph: Graph, x: str) -> str:
    """`x` in float64."""
    return graph.node("Cast", [x], to=TensorProto.DOUBLE)


def narrow(graph: Graph, x: str) -> str:
    """`x` rounded to float32."""
    return graph.node("Cast", [x], to=TensorProto.FLOAT)


def matmul(graph: Graph, left: str, right: str, terms: int) -> str:
    """The product of two values, each of whose numbers is a sum of `terms` products."""
    if terms <= SHORT_PRODUCT:
        return graph.node("MatMul", [left, right])
    return narrow(graph, graph.node("MatMul", [wide(graph, left), wide(graph, right)]))


def masked_mean(graph: Graph, x: str, valid: str) -> str:
    """The mean [batch, channels] of a value [batch, length, channels] where `valid` is true.

    It is 0 where no position is valid; Keras gives NaN there.
    """
    axis, last = graph.number([1], np.int64), graph.number([2], np.int64)
    spread = graph.node("Unsqueeze", [valid, last])
    kept = graph.node("Where", [spread, x, graph.number(0.0)])
    total = graph.node("ReduceSum", [wide(graph, kept), axis], keepdims=0)
    count = graph.node("ReduceSum", [wide(graph, valid), axis], keepdims=1)
    at_least_one = graph.node("Max", [count, graph.number(1.0, np.float64)])
    return narrow(graph, graph.node("Div", [total, at_least_one]))


def windowed_mean(
    graph: Graph, layer: Layer, x: str, starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> str:
    """Means over the positions `starts[i]` up to before `ends[i]` of [batch, length, channels].

    They are differences of float64 sums from the first position on.
    """
    pads = graph.number([0, 1, 0, 0, 0, 0], np.int64)
    padded = graph.node("Pad", [x, pads])
    sums = graph.node("CumSum", [wide(graph, padded), graph.number(1, np.int64)])
    until, before = (
        graph.node("Gather", [sums, graph.layer_constant(layer, name, places)], axis=1)
        for name, places in (("ends", ends), ("starts", starts))
    )
    counts = (ends - starts).astype(np.float64)[:, None]
    total = graph.node("Sub", [until, before])
    return narrow(graph, graph.node("Div", [total, graph.layer_constant(layer, "counts", counts)]))
