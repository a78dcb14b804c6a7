"""LSTM, GRU, SimpleRNN and Bidirectional, with Keras' masks.

ONNX counts gates in another order (i o f c for an LSTM) and has no mask, only the number of valid
steps from the front. So under a mask the words are moved to the front first, in the order in which
Keras would visit them; a masked step leaves the state as it is, which is the same as no step. The
outputs are spread over the positions afterwards: at a masked one Keras repeats the output before
it (zeros at first), or gives zeros (`zero_output_for_mask`, always within a Bidirectional).
Sources: Keras layer documentation, `backend.rnn`; ONNX operators LSTM-14, GRU-14, RNN-14.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from onnx import TensorProto

from controller.model_build.activations import HARD_SIGMOID
from controller.model_build.architecture import Layer
from controller.model_build.graph import (
    TOKENS,
    Graph,
    Tensor,
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
_GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}
_OPERATORS = {"LSTM": "LSTM", "GRU": "GRU", "SimpleRNN": "RNN"}
_ACTIVATIONS = {
    "tanh": ("Tanh",),
    "sigmoid": ("Sigmoid",),
    "relu": ("Relu",),
    "softsign": ("Softsign",),
    "linear": ("Affine", 1.0, 0.0),
    None: ("Affine", 1.0, 0.0),
}


@dataclass(frozen=True)
class _Outputs:
    """What a pass over the sequence gives: [batch, units] and [batch, length, units]."""

    last: str
    sequence: str


@converts("LSTM", _OPTIONS)
@converts("GRU", _OPTIONS)
@converts("SimpleRNN", _OPTIONS)
def _recurrent(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    length, units = sequence_length(layer, x), whole_number(layer, "units")
    backwards = require(layer, "go_backwards", False, True)
    outputs = _run(graph, layer, x, graph.model.weights(layer), "", backwards)
    if not layer.config.get("return_sequences"):
        return Tensor(outputs.last, None, units)
    if not backwards:
        return Tensor(outputs.sequence, length, units, mask=x.mask)
    mask = "the sequence comes out backwards" if x.mask else None
    return Tensor(_reversed(graph, outputs.sequence), length, units, mask=mask)


@converts("Bidirectional", "layer merge_mode backward_layer")
def _bidirectional(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    length = sequence_length(layer, x)
    inner = inner_layer(layer)
    backward = layer.config.get("backward_layer")
    if backward is not None and not _mirrors(inner, backward):
        raise layer.unsupported("its option backward_layer is a layer of its own")
    if inner.class_name not in _GATES:
        raise layer.unsupported(f"it holds a {inner.class_name}")
    check_options(layer, inner.config, option_names(_OPTIONS))
    require(inner, "go_backwards", False)
    merge = require(layer, "merge_mode", "concat", "sum", "mul", "ave")
    units = whole_number(inner, "units")
    sequences = bool(inner.config.get("return_sequences"))
    if sequences and x.mask and _keeps_masked_outputs(graph.model.keras_version):
        raise layer.unsupported(
            f"Keras {graph.model.keras_version} filled masked positions (mask_zero=True) in its "
            "own way"
        )
    # Keras sets this option of both layers, whatever was asked for.
    inner = replace(inner, config=inner.config | {"zero_output_for_mask": sequences})
    weights = graph.model.weights(layer)
    ways = [
        _run(graph, inner, x, weights, way, way == "backward") for way in ("forward", "backward")
    ]
    names = [one.sequence if sequences else one.last for one in ways]
    if merge == "concat":
        name, units = graph.node("Concat", names, axis=2 if sequences else 1), 2 * units
    else:
        name = graph.node("Mul" if merge == "mul" else "Add", names)
        if merge == "ave":
            name = graph.node("Div", [name, graph.number(2.0)])
    return Tensor(name, length if sequences else None, units, mask=x.mask if sequences else None)


def _mirrors(inner: Layer, backward: Mapping[str, Any]) -> bool:
    """Whether the way back is the way there turned round: Keras 3 always writes both down."""
    if backward["class_name"] != inner.class_name or not backward["config"].get("go_backwards"):
        return False
    ways = ("name", "go_backwards")
    options = option_names(_OPTIONS).difference(ways, _ONLY_IN_TRAINING)
    return all(backward["config"].get(key) == inner.config.get(key) for key in options)


def _keeps_masked_outputs(version: str) -> bool:
    """Whether the file is of Keras before it became TensorFlow's (up to 2.3, and unknown ones)."""
    parts = version.split(".")
    if "tf" in version or not parts[0].isdigit():
        return "tf" not in version
    return (int(parts[0]), int(parts[1]) if parts[1:] and parts[1].isdigit() else 0) < (2, 4)


def _run(
    graph: Graph,
    layer: Layer,
    x: Tensor,
    datasets: Mapping[str, Any],
    way: str,
    backwards: bool,
) -> _Outputs:
    """One pass; the sequence of outputs is in the order of the positions, whichever the way."""
    _check(layer)
    x = graph.channels_last(x)
    if x.mask not in (None, TOKENS):
        raise layer.unsupported(f"it takes a mask that is not known here: {x.mask}")
    units = whole_number(layer, "units")
    weights = _weights(graph, layer, x.channels, units, f"{way}/" if way else "")
    if x.mask is None:
        return _plain(graph, layer, x, weights, units, backwards)
    return _masked(graph, layer, x, weights, units, backwards)


def _check(layer: Layer) -> None:
    for option in ("return_state", "stateful", "time_major"):
        require(layer, option, False)


def _operator(graph: Graph, layer: Layer, inputs: list[str], units: int, way: str) -> list[str]:
    """Y [length, 1, batch, units] and Y_h [1, batch, units]."""
    names = ["activation"]
    if layer.class_name != "SimpleRNN":
        names = ["recurrent_activation", "activation"]
    if layer.class_name == "LSTM":
        names.append("activation")
    defaults = {"activation": "tanh", "recurrent_activation": "sigmoid"}
    functions = [_function(graph, layer, name, defaults[name]) for name in names]
    # Only functions that have parameters take theirs off these lists.
    parameters = [function[1:] for function in functions if function[1:]]
    more: dict[str, Any] = {}
    if parameters:
        more["activation_alpha"] = [alpha for alpha, _ in parameters]
        more["activation_beta"] = [beta for _, beta in parameters]
    if layer.class_name == "GRU":
        more["linear_before_reset"] = int(_reset_after(graph, layer))
    return graph.outputs(
        _OPERATORS[layer.class_name],
        inputs,
        2,
        hidden_size=units,
        direction=way,
        activations=[function[0] for function in functions],
        **more,
    )


def _function(graph: Graph, layer: Layer, option: str, default: str) -> tuple[Any, ...]:
    name = layer.config.get(option, default)
    if name == "hard_sigmoid":
        return "HardSigmoid", HARD_SIGMOID[graph.model.is_keras_3], 0.5
    if not isinstance(name, (str, type(None))) or name not in _ACTIVATIONS:
        raise layer.unsupported(f"its {option} is {name!r}")
    return _ACTIVATIONS[name]


def _reset_after(graph: Graph, layer: Layer) -> bool:
    return bool(layer.config.get("reset_after", graph.model.is_keras_3))


def _weights(graph: Graph, layer: Layer, channels: int, units: int, prefix: str) -> list[str]:
    """Names of W [1, gates x units, channels], R [1, gates x units, units], B [1, 2 x ...]."""
    kind, gates = layer.class_name, _GATES[layer.class_name]
    # The layer within a Bidirectional is looked up as the Bidirectional itself.
    owner = (
        layer
        if not prefix
        else replace(
            layer,
            class_name="Bidirectional",
            config={"layer": {"class_name": kind, "config": layer.config}},
        )
    )
    kernel = graph.weight(owner, f"{prefix}kernel", (channels, gates * units))
    recurrent = graph.weight(owner, f"{prefix}recurrent_kernel", (units, gates * units))
    bias = np.zeros((2, gates * units), np.float32)
    if layer.config.get("use_bias", True):
        if kind == "GRU" and _reset_after(graph, layer):
            bias = graph.weight(owner, f"{prefix}bias", (2, gates * units))
        else:
            bias[0] = graph.weight(owner, f"{prefix}bias", (gates * units,))
    order = [0, 3, 1, 2] if kind == "LSTM" else list(range(gates))  # i f c o -> i o f c

    def turned(values: np.ndarray) -> np.ndarray:
        """[n, gates x units] with the gates in ONNX's order, transposed."""
        blocks = values.reshape(len(values), gates, units)[:, order]
        return blocks.reshape(len(values), gates * units).T

    arrays = {
        "W": turned(kernel)[None],
        "R": turned(recurrent)[None],
        "B": turned(bias).T.reshape(1, -1),
    }
    return [
        graph.layer_constant(layer, f"{prefix}{name}", values) for name, values in arrays.items()
    ]


def _plain(
    graph: Graph, layer: Layer, x: Tensor, weights: list[str], units: int, backwards: bool
) -> _Outputs:
    steps = graph.node("Transpose", [x.name], perm=[1, 0, 2])
    way = "reverse" if backwards else "forward"
    every, last = _operator(graph, layer, [steps, *weights], units, way)
    return _Outputs(_squeezed(graph, last, 0), _batch_first(graph, every))


def _squeezed(graph: Graph, name: str, axis: int) -> str:
    return graph.node("Squeeze", [name, graph.number([axis], np.int64)])


def _batch_first(graph: Graph, every: str) -> str:
    return graph.node("Transpose", [_squeezed(graph, every, 1)], perm=[1, 0, 2])


def _reversed(graph: Graph, sequence: str) -> str:
    start, end = graph.number([-1], np.int64), graph.number([-(2**31)], np.int64)
    axis, step = graph.number([1], np.int64), graph.number([-1], np.int64)
    return graph.node("Slice", [sequence, start, end, axis, step])


def _masked(
    graph: Graph, layer: Layer, x: Tensor, weights: list[str], units: int, backwards: bool
) -> _Outputs:
    length, words = x.length, graph.node("Cast", [graph.word_positions()], to=TensorProto.INT64)
    positions = np.arange(length, dtype=np.int64)
    visited = positions[::-1] if backwards else positions
    name = f"const/visited_{'backwards' if backwards else 'forwards'}_{length}"
    # Words by the order of the visit, then everything else.
    gaps = graph.node("Sub", [graph.number(1, np.int64), words])
    behind = graph.node("Mul", [gaps, graph.number(length, np.int64)])
    keys = graph.node("Add", [behind, graph.constant(name, visited)])
    wanted = graph.number([length], np.int64)
    _, order = graph.outputs("TopK", [keys, wanted], 2, axis=1, largest=0, sorted=1)
    order = graph.node("Unsqueeze", [order, graph.number([2], np.int64)])
    moved = graph.node("GatherND", [x.name, order], batch_dims=1)

    axis = graph.number([1], np.int64)
    count = graph.node("ReduceSum", [words, axis], keepdims=0)
    # A text without words takes one step, which is thrown away: not every runtime takes none.
    taken = graph.node("Max", [count, graph.number([1], np.int64)])
    taken = graph.node("Cast", [taken], to=TensorProto.INT32)
    steps = graph.node("Transpose", [moved], perm=[1, 0, 2])
    every, last = _operator(graph, layer, [steps, *weights, taken], units, "forward")

    zero = graph.number(0.0)
    any_word = graph.node("Greater", [count, graph.number([0], np.int64)])
    any_word = graph.node("Unsqueeze", [any_word, axis])
    last = graph.node("Where", [any_word, _squeezed(graph, last, 0), zero])

    # Row 0 is zeros: the output before the first word; row n that after n words.
    pads = graph.number([0, 1, 0, 0, 0, 0], np.int64)
    rows = graph.node("Pad", [_batch_first(graph, every), pads])
    seen = graph.node("CumSum", [words, graph.number(1, np.int64)], reverse=int(backwards))
    seen = graph.node("Unsqueeze", [seen, graph.number([2], np.int64)])
    sequence = graph.node("GatherND", [rows, seen], batch_dims=1)
    if layer.config.get("zero_output_for_mask"):
        valid = graph.node("Unsqueeze", [graph.word_positions(), graph.number([2], np.int64)])
        sequence = graph.node("Where", [valid, sequence, zero])
    return _Outputs(last, sequence)
