"""One pass of a recurrent layer over the sequence, as operators of ONNX.

ONNX orders gates differently (i o f c for an LSTM) and has no mask, only the number of valid steps
from the start. So with a mask the words are first moved to the start, in the order in which Keras
visits them; a masked step leaves the state unchanged, which equals no step. The outputs are then
spread over the positions: at a masked one Keras repeats the previous output (zeros at first), or
gives zeros (`zero_output_for_mask`, always inside a Bidirectional).
Sources: Keras documentation of the recurrent layers, `backend.rnn`; ONNX operators LSTM-14, GRU-14,
RNN-14.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from controller.model_build.activations import HARD_SIGMOID
from controller.model_build.architecture import Layer
from controller.model_build.graph import Graph, Mask, Tensor
from controller.model_build.registry import require, sequence_length, whole_number

GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}
_OPERATORS = {"LSTM": "LSTM", "GRU": "GRU", "SimpleRNN": "RNN"}


class _Function(NamedTuple):
    """An activation of ONNX's recurrent operators, with alpha and beta where it has them."""

    name: str
    parameters: tuple[float, float] | None = None


_LINEAR = _Function("Affine", (1.0, 0.0))
_ACTIVATIONS: dict[str | None, _Function] = {
    "tanh": _Function("Tanh"),
    "sigmoid": _Function("Sigmoid"),
    "relu": _Function("Relu"),
    "softsign": _Function("Softsign"),
    "linear": _LINEAR,
    None: _LINEAR,
}


@dataclass(frozen=True)
class Outputs:
    """Names of the last output [batch, units] and of all outputs [batch, length, units]."""

    last: str
    sequence: str


def run_pass(graph: Graph, layer: Layer, x: Tensor, direction: str, backwards: bool) -> Outputs:
    """Add one pass over `x`; all outputs are in the order of the positions in either direction.

    Args:
        direction: `forward` or `backward` for a layer inside a Bidirectional, else "".
        backwards: whether the pass begins at the last position.

    Raises:
        UnsupportedLayer: an option, an activation or a mask that is not converted.
        BuildError: weights are missing or damaged.
    """
    for option in ("return_state", "stateful", "time_major"):
        require(layer, option, False)
    x = graph.channels_last(x)
    units = whole_number(layer, "units")
    prefix = f"{direction}/" if direction else ""
    weights = _weights(graph, layer, x.channels, units, prefix)
    if x.mask is None:
        return _plain(graph, layer, x, weights, units, backwards)
    return _masked(graph, layer, x, x.mask, weights, units, backwards)


def _plain(
    graph: Graph, layer: Layer, x: Tensor, weights: list[str], units: int, backwards: bool
) -> Outputs:
    steps = graph.node("Transpose", [x.name], perm=[1, 0, 2])
    direction = "reverse" if backwards else "forward"
    outputs, last = _operator(graph, layer, [steps, *weights], units, direction)
    return Outputs(_squeezed(graph, last, 0), _batch_first(graph, outputs))


def _squeezed(graph: Graph, name: str, axis: int) -> str:
    return graph.node("Squeeze", [name, graph.number([axis], np.int64)])


def _batch_first(graph: Graph, outputs: str) -> str:
    return graph.node("Transpose", [_squeezed(graph, outputs, 1)], perm=[1, 0, 2])


def _masked(
    graph: Graph,
    layer: Layer,
    x: Tensor,
    mask: Mask,
    weights: list[str],
    units: int,
    backwards: bool,
) -> Outputs:
    length, valid = sequence_length(layer, x), graph.positions(layer, mask)
    words = graph.node("Cast", [valid], to=TensorProto.INT64)
    positions = np.arange(length, dtype=np.int64)
    visited = positions[::-1] if backwards else positions
    name = f"const/visited_{'backwards' if backwards else 'forwards'}_{length}"
    # Words in the order of the visit, then everything else.
    gaps = graph.node("Sub", [graph.number(1, np.int64), words])
    behind = graph.node("Mul", [gaps, graph.number(length, np.int64)])
    keys = graph.node("Add", [behind, graph.constant(name, visited)])
    every = graph.number([length], np.int64)
    _, order = graph.outputs("TopK", [keys, every], 2, axis=1, largest=0, sorted=1)
    order = graph.node("Unsqueeze", [order, graph.number([2], np.int64)])
    moved = graph.node("GatherND", [x.name, order], batch_dims=1)

    axis = graph.number([1], np.int64)
    count = graph.node("ReduceSum", [words, axis], keepdims=0)
    # A text without words takes one step, which is discarded: not every runtime accepts none.
    taken = graph.node("Max", [count, graph.number([1], np.int64)])
    taken = graph.node("Cast", [taken], to=TensorProto.INT32)
    steps = graph.node("Transpose", [moved], perm=[1, 0, 2])
    outputs, last = _operator(graph, layer, [steps, *weights, taken], units, "forward")

    zero = graph.number(0.0)
    any_word = graph.node("Greater", [count, graph.number([0], np.int64)])
    any_word = graph.node("Unsqueeze", [any_word, axis])
    last = graph.node("Where", [any_word, _squeezed(graph, last, 0), zero])

    # Row 0 is zeros, the output before the first word; row n is the output after n words.
    pads = graph.number([0, 1, 0, 0, 0, 0], np.int64)
    rows = graph.node("Pad", [_batch_first(graph, outputs), pads])
    seen = graph.node("CumSum", [words, graph.number(1, np.int64)], reverse=int(backwards))
    seen = graph.node("Unsqueeze", [seen, graph.number([2], np.int64)])
    sequence = graph.node("GatherND", [rows, seen], batch_dims=1)
    if layer.config.get("zero_output_for_mask"):
        valid = graph.node("Unsqueeze", [valid, graph.number([2], np.int64)])
        sequence = graph.node("Where", [valid, sequence, zero])
    return Outputs(last, sequence)


def _operator(
    graph: Graph, layer: Layer, inputs: list[str], units: int, direction: str
) -> list[str]:
    """Names of Y [length, 1, batch, units] and Y_h [1, batch, units]."""
    names = ["activation"]
    if layer.class_name != "SimpleRNN":
        names = ["recurrent_activation", "activation"]
    if layer.class_name == "LSTM":
        names.append("activation")
    defaults = {"activation": "tanh", "recurrent_activation": "sigmoid"}
    functions = [_function(graph, layer, name, defaults[name]) for name in names]
    # ONNX assigns the parameters in order to the functions that have some.
    parameters = [function.parameters for function in functions if function.parameters]
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
        direction=direction,
        activations=[function.name for function in functions],
        **more,
    )


def _weights(graph: Graph, layer: Layer, channels: int, units: int, prefix: str) -> list[str]:
    """Names of W [1, gates x units, channels], R [1, gates x units, units], B [1, 2 x ...]."""
    kind, gates = layer.class_name, GATES[layer.class_name]
    # Weights of a layer inside a Bidirectional are those of the Bidirectional.
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

    def reordered(values: NDArray[np.float32]) -> NDArray[np.float32]:
        """[n, gates x units] with the gates in ONNX's order, transposed."""
        blocks = values.reshape(len(values), gates, units)[:, order]
        return blocks.reshape(len(values), gates * units).T

    arrays = {
        "W": reordered(kernel)[None],
        "R": reordered(recurrent)[None],
        "B": reordered(bias).T.reshape(1, -1),
    }
    return [
        graph.layer_constant(layer, f"{prefix}{name}", values) for name, values in arrays.items()
    ]


def _function(graph: Graph, layer: Layer, option: str, default: str) -> _Function:
    name = layer.config.get(option, default)
    if name == "hard_sigmoid":
        return _Function("HardSigmoid", (HARD_SIGMOID[graph.model.is_keras_3], 0.5))
    if not isinstance(name, (str, type(None))) or name not in _ACTIVATIONS:
        raise layer.unsupported(f"its {option} is {name!r}")
    return _ACTIVATIONS[name]


def _reset_after(graph: Graph, layer: Layer) -> bool:
    return bool(layer.config.get("reset_after", graph.model.is_keras_3))
