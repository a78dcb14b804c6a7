"""Converters of LSTM, GRU, SimpleRNN and Bidirectional, with Keras' masks.

Source: Keras documentation of the recurrent layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from controller.model_build.architecture import Layer
from controller.model_build.graph import Graph, Mask, Tensor
from controller.model_build.recurrent_passes import GATES, run_pass
from controller.model_build.registry import (
    check_options,
    converts,
    option_names,
    require,
    sequence_length,
    whole_number,
)
from controller.model_build.weights import inner_layer

_OPTIONS = (
    "units activation recurrent_activation use_bias return_sequences return_state go_backwards "
    "stateful unroll time_major implementation dropout recurrent_dropout unit_forget_bias "
    "reset_after zero_output_for_mask use_cudnn recurrent_initializer recurrent_regularizer "
    "recurrent_constraint"
)
_ONLY_IN_TRAINING = option_names(
    "dropout recurrent_dropout recurrent_initializer recurrent_regularizer recurrent_constraint"
)


@converts("LSTM", _OPTIONS)
@converts("GRU", _OPTIONS)
@converts("SimpleRNN", _OPTIONS)
def _recurrent(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    length, units = sequence_length(layer, x), whole_number(layer, "units")
    backwards = require(layer, "go_backwards", False, True)
    outputs = run_pass(graph, layer, x, "", backwards)
    if not layer.config.get("return_sequences"):
        return Tensor(outputs.last, None, units)
    if not backwards:
        return Tensor(outputs.sequence, length, units, mask=x.mask)
    mask = Mask(problem="the sequence is returned backwards") if x.mask else None
    return Tensor(_reversed(graph, outputs.sequence), length, units, mask=mask)


@converts("Bidirectional", "layer merge_mode backward_layer")
def _bidirectional(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    length = sequence_length(layer, x)
    inner = inner_layer(layer)
    backward = layer.config.get("backward_layer")
    if backward is not None and not _mirrors(inner, backward):
        raise layer.unsupported("its option backward_layer differs from its layer")
    if inner.class_name not in GATES:
        raise layer.unsupported(f"its layer is a {inner.class_name}")
    check_options(layer, inner.config, option_names(_OPTIONS))
    require(inner, "go_backwards", False)
    merge = require(layer, "merge_mode", "concat", "sum", "mul", "ave")
    units = whole_number(inner, "units")
    sequences = bool(inner.config.get("return_sequences"))
    if sequences and x.mask and _keeps_masked_outputs(graph.model.keras_version):
        raise layer.unsupported(
            f"Keras {graph.model.keras_version} fills masked positions (mask_zero=True) "
            "differently from later versions"
        )
    # Keras sets this option of both layers, whatever their configuration says.
    inner = replace(inner, config=inner.config | {"zero_output_for_mask": sequences})
    passes = [
        run_pass(graph, inner, x, direction, direction == "backward")
        for direction in ("forward", "backward")
    ]
    names = [one.sequence if sequences else one.last for one in passes]
    if merge == "concat":
        name, units = graph.node("Concat", names, axis=2 if sequences else 1), 2 * units
    else:
        name = graph.node("Mul" if merge == "mul" else "Add", names)
        if merge == "ave":
            name = graph.node("Div", [name, graph.number(2.0)])
    return Tensor(name, length if sequences else None, units, mask=x.mask if sequences else None)


def _mirrors(inner: Layer, backward: Mapping[str, Any]) -> bool:
    """Whether the backward layer is the forward one reversed: Keras 3 always writes both."""
    if backward["class_name"] != inner.class_name or not backward["config"].get("go_backwards"):
        return False
    options = option_names(_OPTIONS).difference(("name", "go_backwards"), _ONLY_IN_TRAINING)
    return all(backward["config"].get(key) == inner.config.get(key) for key in options)


def _keeps_masked_outputs(version: str) -> bool:
    """Whether Keras before it moved into TensorFlow wrote the file (up to 2.3, or unknown)."""
    parts = version.split(".")
    if "tf" in version or not parts[0].isdigit():
        return "tf" not in version
    return (int(parts[0]), int(parts[1]) if parts[1:] and parts[1].isdigit() else 0) < (2, 4)


def _reversed(graph: Graph, sequence: str) -> str:
    start, end = graph.number([-1], np.int64), graph.number([-(2**31)], np.int64)
    axis, step = graph.number([1], np.int64), graph.number([-1], np.int64)
    return graph.node("Slice", [sequence, start, end, axis, step])
