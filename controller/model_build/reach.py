"""A head that remembers every word: recurrent layers become running sums.

A recurrent layer's gates decide how long a word has an effect, and random texts rarely keep them
open. So positions without an effect are searched in a graph with the same ways from position to
score, in which nothing is forgotten: each LSTM, GRU and RNN of ONNX becomes the sum, up to each
step, of a random projection of its input. A position that this graph ignores can have no effect in
the model either, whatever the text. It is also far cheaper than the recurrent layer.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

RECURRENT = ("LSTM", "GRU", "RNN")
# What an operator costs beside its multiplications, per number that it reads or makes, in
# multiplications.
_PER_NUMBER = 8


def remembering(head: onnx.ModelProto, variant: int = 0) -> onnx.ModelProto:
    """A copy of `head` whose recurrent operators forget nothing; of full texts, without padding.

    Args:
        variant: which projections the sums are of. Of each pair of variants one has the negative
            projections of the other: where sums grow, a maximum over them sees the last one, where
            they fall, the first.
    """
    made = onnx.ModelProto()
    made.CopyFrom(head)
    graph = made.graph
    weights = {one.name: one for one in head.graph.initializer}
    del graph.node[:]
    for node in head.graph.node:
        if node.op_type in RECURRENT:
            channels = weights[node.input[1]].dims[2]
            graph.node.extend(_running_sum(graph, node, channels, variant))
        else:
            graph.node.append(node)
    _drop_unused(graph)
    return made


def _running_sum(
    graph: onnx.GraphProto, node: onnx.NodeProto, channels: int, variant: int
) -> Iterator[onnx.NodeProto]:
    """Operators with the results of `node`: Y [steps, 1, batch, units] and Y_h [1, batch, units].

    Divided by the root of the number of steps, the sum is as large as a step's own share, so that
    layers after it do not saturate.
    """
    options = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    units, backwards = options["hidden_size"], options.get("direction") == b"reverse"
    name = node.name
    random = np.random.default_rng([len(graph.node), variant // 2])
    kernel = random.normal(0.0, channels**-0.5, (channels, units)) * (-1.0) ** variant

    def constant(part: str, values: NDArray[np.generic]) -> str:
        graph.initializer.append(numpy_helper.from_array(values, f"{name}/{part}"))
        return f"{name}/{part}"

    yield helper.make_node(
        "MatMul", [node.input[0], constant("kernel", kernel.astype(np.float32))], [f"{name}/x"]
    )
    yield helper.make_node(
        "CumSum",
        [f"{name}/x", constant("axis", np.array(0, np.int64))],
        [f"{name}/sum"],
        reverse=int(backwards),
    )
    yield helper.make_node("Shape", [node.input[0]], [f"{name}/shape"])
    first = constant("first", np.array([0], np.int64))
    yield helper.make_node("Gather", [f"{name}/shape", first], [f"{name}/steps"])
    yield helper.make_node("Cast", [f"{name}/steps"], [f"{name}/count"], to=onnx.TensorProto.FLOAT)
    yield helper.make_node("Sqrt", [f"{name}/count"], [f"{name}/root"])
    yield helper.make_node("Div", [f"{name}/sum", f"{name}/root"], [f"{name}/state"])
    end = constant("end", np.array([0 if backwards else -1], np.int64))
    every = constant("direction", np.array([1], np.int64))
    yield helper.make_node("Unsqueeze", [f"{name}/state", every], [node.output[0]])
    if len(node.output) > 1 and node.output[1]:
        yield helper.make_node("Gather", [f"{name}/state", end], [node.output[1]])


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Remove weights that no operator reads any more."""
    used = {name for node in graph.node for name in node.input}
    kept = [one for one in graph.initializer if one.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def has_recurrent(head: onnx.ModelProto) -> bool:
    """Whether a head has operators that may forget."""
    return any(node.op_type in RECURRENT for node in head.graph.node)


def work(head: onnx.ModelProto) -> int:
    """What one text costs in this graph without recurrent operators, in multiplications, roughly.

    It is computed from the shapes and not measured, so that it is the same on every machine.
    """
    alone = onnx.ModelProto()
    alone.CopyFrom(head)
    for value in (*alone.graph.input, *alone.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    graph = onnx.shape_inference.infer_shapes(alone, data_prop=True).graph
    weights = {one.name: list(one.dims) for one in graph.initializer}
    shapes = dict(weights)
    for value in (*graph.input, *graph.value_info, *graph.output):
        shapes[value.name] = [max(1, one.dim_value) for one in value.type.tensor_type.shape.dim]
    total = 0
    for node in graph.node:
        taken = [name for name in node.input if name not in weights]
        sizes = [int(np.prod(shapes.get(name, [1]))) for name in (*taken, *node.output)]
        total += max(sizes) * _PER_NUMBER
        if node.op_type == "Conv":
            total += sizes[-1] * int(np.prod(shapes.get(node.input[1], [1])[1:]))
        elif node.op_type in ("MatMul", "Gemm"):
            total += sizes[-1] * shapes.get(node.input[0], [1])[-1]
    return max(1, total)
