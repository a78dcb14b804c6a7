"""Converters of Attention, AdditiveAttention and Dot.

Source: Keras layer documentation, `_apply_scores`: a masked value's score is lowered by 1e9 before
the softmax, and the result of a masked query is 0. A self-written attention class is refused: its
code is not in the file.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from controller.model_build.architecture import Layer
from controller.model_build.graph import Graph, Tensor
from controller.model_build.reductions import matmul
from controller.model_build.registry import converts, require, sequence_length


@converts("Attention", "use_scale score_mode dropout causal", inputs="many")
def _attention(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    query, value, key = _inputs(graph, layer, inputs)
    scale = _scalar(graph, layer, "scale") if layer.config.get("use_scale") else None
    if require(layer, "score_mode", "dot", "concat") == "concat":
        scores = _added(graph, query, key, scale, None)
        scores = graph.node("Mul", [scores, _scalar(graph, layer, "concat_score_weight")])
    else:
        turned = graph.node("Transpose", [key.name], perm=[0, 2, 1])
        scores = matmul(graph, query.name, turned, query.channels)
        if scale is not None:
            scores = graph.node("Mul", [scores, scale])
    return _applied(graph, layer, scores, query, value)


@converts("AdditiveAttention", "use_scale dropout causal", inputs="many")
def _additive_attention(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    query, value, key = _inputs(graph, layer, inputs)
    factors = None
    if layer.config.get("use_scale", True):
        values = graph.weight(layer, "scale", (query.channels,))
        factors = graph.layer_constant(layer, "scale", values)
    return _applied(graph, layer, _added(graph, query, key, None, factors), query, value)


def _inputs(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Query, value and key, channels last."""
    require(layer, "causal", False)
    if len(inputs) not in (2, 3):
        raise layer.unsupported(f"it has {len(inputs)} inputs")
    query, value, key = (graph.channels_last(x) for x in (*inputs, inputs[1])[:3])
    if query.channels != key.channels or value.length != key.length:
        shapes = [list(x.shape) for x in (query, value, key)]
        raise layer.unsupported(f"its query, value and key have the shapes {shapes}")
    for x in (query, value, key):
        sequence_length(layer, x)
    return query, value, key


def _added(
    graph: Graph, query: Tensor, key: Tensor, inside: str | None, outside: str | None
) -> str:
    """Sum over the channels of `outside` x tanh(`inside` x (query + key)) for every pair."""
    row = graph.node("Unsqueeze", [query.name, graph.number([2], np.int64)])
    column = graph.node("Unsqueeze", [key.name, graph.number([1], np.int64)])
    pairs = graph.node("Add", [row, column])
    if inside is not None:
        pairs = graph.node("Mul", [pairs, inside])
    pairs = graph.node("Tanh", [pairs])
    if outside is not None:
        pairs = graph.node("Mul", [pairs, outside])
    return graph.node("ReduceSum", [pairs, graph.number([3], np.int64)], keepdims=0)


def _applied(graph: Graph, layer: Layer, scores: str, query: Tensor, value: Tensor) -> Tensor:
    if value.mask is not None:
        valid = graph.positions(layer, value.mask)
        valid = graph.node("Unsqueeze", [valid, graph.number([1], np.int64)])
        lowered = graph.node("Sub", [scores, graph.number(1e9)])
        scores = graph.node("Where", [valid, scores, lowered])
    weights = graph.node("Softmax", [scores], axis=-1)
    name = matmul(graph, weights, value.name, sequence_length(layer, value))
    if query.mask is not None:
        valid = graph.positions(layer, query.mask)
        valid = graph.node("Unsqueeze", [valid, graph.number([2], np.int64)])
        name = graph.node("Where", [valid, name, graph.number(0.0)])
    return Tensor(name, query.length, value.channels, mask=query.mask)


def _scalar(graph: Graph, layer: Layer, name: str) -> str:
    return graph.layer_constant(layer, name, graph.weight(layer, name, ()))


@converts("Dot", "axes normalize", inputs="many")
def _dot(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    if len(inputs) != 2:
        raise layer.unsupported(f"it has {len(inputs)} inputs")
    require(layer, "normalize", False)
    axes = layer.config.get("axes")
    axes = [axes, axes] if isinstance(axes, int) else axes
    names, rests = [], []
    for side, (x, axis) in enumerate(zip(inputs, axes or (), strict=False)):
        x = graph.channels_last(x)
        rank = len(x.shape)
        place = axis % (rank + 1) if isinstance(axis, int) else 0
        if place == 0:
            raise layer.unsupported(f"its option axes is {layer.config.get('axes')!r}")
        if rank == 1:  # a row on the left, a column on the right
            name = graph.shape(x.name, [1, x.channels] if side == 0 else [x.channels, 1])
        else:
            turned = place != (2 if side == 0 else 1)
            name = graph.node("Transpose", [x.name], perm=[0, 2, 1]) if turned else x.name
        names.append(name)
        rests.append((x.shape[place - 1], [one for i, one in enumerate(x.shape, 1) if i != place]))
    if len(rests) != 2 or rests[0][0] != rests[1][0]:
        raise layer.unsupported(f"its option axes is {layer.config.get('axes')!r}")
    name = matmul(graph, names[0], names[1], rests[0][0])
    shape = rests[0][1] + rests[1][1] or [1]
    whole = all(len(x.shape) == 2 for x in inputs)
    return Tensor.shaped(name if whole else graph.shape(name, shape), shape)
