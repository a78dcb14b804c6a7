"""Build the ONNX head: everything that the server computes, from a Keras model.

Split mode: the graph takes `vectors` float32 [batch, length, dimension]. Whole mode: it holds the
embedding and takes `indices` int32 [batch, length]. Either gives `scores` float32 [batch, labels].
Where a layer uses Keras' mask, a head of split mode also takes `mask` float32 [batch, length], 1
where a position holds a word and 0 where it is padding.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

import h5py
import onnx
from onnx import TensorProto, helper

from controller.model_build import layers, recurrent  # noqa: F401 (they register their converters)
from controller.model_build.architecture import Call, Layer, Network, Source
from controller.model_build.errors import BuildError
from controller.model_build.graph import (
    INDICES,
    MASK,
    REGISTRY,
    VECTORS,
    Graph,
    Mode,
    Tensor,
    check_options,
    option_names,
)
from controller.model_build.keras_file import KerasModel

OPSET = 15
IR_VERSION = 8
OUTPUT = "scores"
_INPUT_OPTIONS = option_names("shape sparse ragged optional")
_NO_MASK_THROUGH = "it passes the edge of a nested model"


@dataclass(frozen=True)
class Head:
    """A converted model.

    `proto`: the checked graph; `probe`: the same without its last activation where there is one
    (sigmoid and softmax saturate and hide effects); `embedding`, `matrix`: the layer that was
    split off, or the first one of a whole head; `masked`: whether split mode takes a `mask`.
    """

    mode: Mode
    proto: onnx.ModelProto
    probe: onnx.ModelProto
    labels: int
    length: int
    embedding: Layer
    matrix: h5py.Dataset
    masked: bool

    @property
    def rows(self) -> int:
        return self.matrix.shape[0]

    @property
    def dimension(self) -> int:
        return self.matrix.shape[1]


def supported_layers() -> list[str]:
    """Keras classes that can be part of a model."""
    return sorted({*REGISTRY, "InputLayer", "Sequential", "Functional"} - {"NotEqual"})


def stated_length(model: KerasModel) -> int | None:
    """The sequence length that the file states, at the input or at an Embedding.

    Raises:
        BuildError: two places state different lengths.
    """
    found = {}
    for layer in model.network.leaves():
        if layer.class_name not in ("InputLayer", "Embedding"):
            continue
        stated = layer.config.get("input_length")
        shapes = [layer.config.get("batch_input_shape"), layer.config.get("batch_shape")]
        lengths = stated if isinstance(stated, list) else [stated]
        lengths = [*lengths, *(shape[1] for shape in shapes if shape and len(shape) == 2)]
        for length in lengths:
            if length is not None:
                found.setdefault(length, layer)
    if len(found) > 1:
        raise BuildError(
            f"{model.path}: layers state different sequence lengths: "
            + ", ".join(f"{layer.name!r} {length}" for length, layer in found.items())
        )
    return next(iter(found), None)


def build_head(
    model: KerasModel, length: int, *, mode: Mode = "split", rows: int | None = None
) -> Head:
    """Convert a model.

    Args:
        length: the sequence length.
        rows: whole mode: rows of the matrix that can be asked for; the ones behind are left out.

    Raises:
        UnsupportedLayer: a layer or option that is not converted exactly.
        BuildError: weights missing, of a wrong shape or not finite; no scores at the end.
    """
    network = model.network
    if not network.calls:
        raise BuildError(f"{model.path}: the model has no layers")
    check_layers(network)
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise BuildError(
            f"{model.path}: the model has {len(network.inputs)} inputs and "
            f"{len(network.outputs)} outputs; only one input of word indices and one output of "
            "scores can be served"
        )
    graph = Graph(model, mode, rows)
    x = _convert_network(graph, network, [Tensor(INDICES, length, 0, kind="indices")])[0]
    if graph.embedding is None:
        raise BuildError(f"{model.path}: no Embedding: this is no classifier of texts")
    if x.kind != "values" or x.length is not None:
        raise BuildError(
            f"{model.path}: the model ends with shape [batch, {x.length}, {x.channels}], not with "
            "one row of scores per text: only classifiers of whole texts are served"
        )
    last = network.calls[-1].layer
    if not x.unit:
        last = _last_layer(network)
        raise last.unsupported(
            "its scores are not from 0 to 1: the last activation is "
            f"{last.config.get('activation')!r}, it must be sigmoid or softmax"
        )
    embedding = graph.embedding
    shape = tuple(embedding.config[name] for name in ("input_dim", "output_dim"))
    return Head(
        mode,
        _proto(graph, x.name, length, x.channels),
        _proto(graph, x.logits or x.name, length, x.channels),
        x.channels,
        length,
        embedding,
        model.dataset(embedding, "embeddings", shape),
        graph.masked and mode == "split",
    )


def check_layers(network: Network) -> None:
    """Refuse, in the order of the model, every class and option that is not known.

    Raises:
        UnsupportedLayer: the first one.
    """
    for layer in network.leaves():
        if layer.class_name == "InputLayer":
            check_options(layer, layer.config | {"dtype": "float32"}, _INPUT_OPTIONS)
            if layer.config.get("sparse") or layer.config.get("ragged"):
                raise layer.unsupported("sparse or ragged input")
            continue
        entry = REGISTRY.get(layer.class_name)
        if entry is None:
            raise layer.unsupported("this class is not converted")
        check_options(layer, layer.config, entry.options)


def with_metadata(
    head: onnx.ModelProto, checksum: str, labels: Iterable[str], length: int
) -> bytes:
    """The head as a file, carrying the fingerprint of the embedding that it belongs to."""
    helper.set_model_props(
        head,
        {
            "embedding_checksum": checksum,
            "labels": json.dumps(list(labels), ensure_ascii=False),
            "sequence_length": str(length),
        },
    )
    return head.SerializeToString(deterministic=True)


def _last_layer(network: Network) -> Layer:
    """The layer whose activation made the scores, for an error."""
    quiet = ("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise")
    for call in reversed(network.calls):
        if call.layer.network is not None:
            return _last_layer(call.layer.network)
        if call.layer.class_name not in quiet:
            return call.layer
    return network.calls[-1].layer


def _convert_network(graph: Graph, network: Network, inputs: list[Tensor]) -> list[Tensor]:
    values: dict[Source, Tensor] = dict(zip(network.inputs, inputs, strict=True))
    for call in network.calls:
        taken = [_value(values, call.layer, source) for source in call.sources]
        if call.mask is not None:
            mask = _value(values, call.layer, call.mask)
            if mask.kind != "mask":
                raise call.layer.unsupported("it takes a mask that another layer computes")
            taken = [replace(x, mask=mask.mask) for x in taken]
        made = _convert(graph, call, taken)
        for number, one in enumerate(made):
            values[call.layer.name, call.number, number] = one
    return [_value(values, network.calls[-1].layer, source) for source in network.outputs]


def _value(values: dict[Source, Tensor], layer: Layer, source: Source) -> Tensor:
    if source not in values:
        raise layer.unsupported(f"it takes output {source[2]} of layer {source[0]!r}")
    return values[source]


def _convert(graph: Graph, call: Call, inputs: list[Tensor]) -> list[Tensor]:
    layer = call.layer
    options = {key: value for key, value in call.options.items() if key != "training" or value}
    constants = options.pop("constants", None)
    if layer.class_name == "NotEqual":
        constants = None if constants == [0] and not options else [constants]
    if constants or options:
        shown = ", ".join(options) or f"{constants}"
        raise layer.unsupported(f"it is called with further arguments ({shown})")
    if layer.network is not None:
        return _convert_nested(graph, layer, inputs)
    entry = REGISTRY[layer.class_name]
    kind = "indices" if entry.inputs == "indices" else "values"
    if any(x.kind != kind for x in inputs):
        raise layer.unsupported(
            "an Embedding takes word indices, the layers before it give something else"
            if kind == "indices"
            else "the first layer must be an Embedding, this one takes the word indices themselves"
        )
    if entry.inputs == "many":
        if len(inputs) < 2:
            raise layer.unsupported(f"it takes {len(inputs)} inputs")
        return [entry.convert(graph, layer, inputs)]
    if len(inputs) != 1:
        raise layer.unsupported(f"it takes {len(inputs)} inputs")
    x = inputs[0]
    made = entry.convert(graph, layer, x)
    own = layer.class_name in ("Embedding", "NotEqual", "LSTM", "GRU", "SimpleRNN", "Bidirectional")
    return [made if own else replace(made, mask=x.mask if entry.keeps_mask else None)]


def _convert_nested(graph: Graph, layer: Layer, inputs: list[Tensor]) -> list[Tensor]:
    if len(inputs) != len(layer.network.inputs):
        raise layer.unsupported(f"it takes {len(inputs)} inputs")
    edge = [replace(x, mask=_NO_MASK_THROUGH) if x.mask else x for x in inputs]
    made = _convert_network(graph, layer.network, edge)
    return [replace(x, mask=_NO_MASK_THROUGH) if x.mask else x for x in made]


def _proto(graph: Graph, result: str, length: int, labels: int) -> onnx.ModelProto:
    if graph.mode == "whole":
        inputs = [_shaped(INDICES, ["batch", length], TensorProto.INT32)]
    else:
        channels = graph.embedding.config["output_dim"]
        inputs = [_shaped(VECTORS, ["batch", length, channels])]
        if graph.masked:
            inputs.append(_shaped(MASK, ["batch", length]))
    nodes = [*graph.nodes, helper.make_node("Identity", [result], [OUTPUT], "output")]
    proto = helper.make_model(
        helper.make_graph(
            nodes,
            "head",
            inputs,
            [_shaped(OUTPUT, ["batch", labels])],
            list(graph.initializers.values()),
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="tox_com_det model_build",
    )
    onnx.checker.check_model(proto, full_check=True)
    return proto


def _shaped(
    name: str, shape: list[str | int], dtype: int = TensorProto.FLOAT
) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)
