"""Build the ONNX head, which is everything that the server computes, from a Keras model.

Mode split: the graph takes `vectors`, float32 [batch, length, dimension]. Mode whole: it contains
the embedding and takes `indices`, int32 [batch, length]. Both return `scores`, float32
[batch, labels]. Where a layer uses Keras' mask, a head of mode split also takes `mask`, float32
[batch, length], 1 at a position with a word and 0 at padding.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import onnx
from onnx import TensorProto, helper

from controller.model_build.architecture import Layer, Network
from controller.model_build.convert import check_layers, convert_network
from controller.model_build.errors import BuildError
from controller.model_build.graph import Graph, Mode, Tensor
from controller.model_build.hdf5 import DataSet
from controller.model_build.keras_model import KerasModel
from controller.model_build.least_padding import least_padding
from tox_com_det.model.encode import INDICES, MASK, VECTORS
from tox_com_det.model.head import LEAST_PADDING

OPSET = 15
IR_VERSION = 8
OUTPUT = "scores"


@dataclass(frozen=True)
class Head:
    """A converted model.

    Attributes:
        mode: `split` or `whole`.
        proto: the checked graph.
        probe: the same graph without its last activation, because sigmoid and softmax saturate and
            hide effects.
        labels: number of scores.
        length: the sequence length.
        embedding: the layer that was split off, or the first one of a whole head.
        matrix: that layer's matrix.
        masked: whether the graph takes `mask`.
        remarks: what is to be said about the conversion, one line each.
    """

    mode: Mode
    proto: onnx.ModelProto
    probe: onnx.ModelProto
    labels: int
    length: int
    embedding: Layer
    matrix: DataSet
    masked: bool
    remarks: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows of the embedding's matrix."""
        return self.matrix.shape[0]

    @property
    def dimension(self) -> int:
        """Numbers of a word vector."""
        return self.matrix.shape[1]


def stated_length(model: KerasModel) -> int | None:
    """The sequence length that the file states, at the input or at an Embedding.

    Raises:
        BuildError: two layers state different lengths.
    """
    found: dict[int, Layer] = {}
    for layer in model.network.leaves():
        if layer.class_name not in ("InputLayer", "Embedding", "TextVectorization"):
            continue
        if layer.config.get("dtype") == "string" and layer.class_name == "InputLayer":
            continue  # one text
        stated = layer.config.get("input_length", layer.config.get("output_sequence_length"))
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
            + ": save the model with one length"
        )
    return next(iter(found), None)


def build_head(
    model: KerasModel, length: int, *, mode: Mode = "split", rows: int | None = None
) -> Head:
    """Convert a model.

    Args:
        length: the sequence length.
        rows: mode whole: number of rows of the matrix that texts can refer to; the rows after
            them are left out.

    Raises:
        UnsupportedLayer: a layer or an option that is not converted exactly.
        BuildError: weights are missing, have the wrong shape or are not finite; the model does
            not end in scores.
    """
    network = model.network
    if not network.calls:
        raise BuildError(f"{model.path}: the model has no layers: save the trained model")
    check_layers(network)
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise BuildError(
            f"{model.path}: the model has {len(network.inputs)} inputs and "
            f"{len(network.outputs)} outputs; only models with one input of word indices and one "
            "output of scores are supported"
        )
    graph = Graph(model, mode, rows)
    x = convert_network(graph, network, [Tensor(INDICES, length, 0, kind="indices")])[0]
    embedding = graph.embedding
    if embedding is None:
        raise BuildError(
            f"{model.path}: the model has no Embedding layer; only text classifiers with one are "
            "supported"
        )
    if x.kind != "values" or x.length is not None:
        raise BuildError(
            f"{model.path}: the output has the shape [batch, {x.length}, {x.channels}]; only "
            "classifiers of whole texts, with one row of scores per text, are supported"
        )
    if not x.unit:
        last = _last_layer(network)
        raise last.unsupported(
            "its scores are not between 0 and 1; the last activation must be sigmoid or softmax, "
            f"it is {last.config.get('activation')!r}"
        )
    shape = (embedding.config["input_dim"], embedding.config["output_dim"])
    return Head(
        mode,
        _proto(graph, x.name, length, embedding, x.channels),
        _proto(graph, x.logits or x.name, length, embedding, x.channels),
        x.channels,
        length,
        embedding,
        model.dataset(embedding, "embeddings", shape),
        graph.masked and mode == "split",
        tuple(graph.remarks),
    )


def with_metadata(
    head: onnx.ModelProto, checksum: str, labels: Iterable[str], length: int
) -> bytes:
    """The head as the content of a file that names the checksum of its embedding.

    Where the head needs only some of the padding, it takes sequences of any length that have it.
    """
    file = onnx.ModelProto()
    file.CopyFrom(head)
    properties = {
        "embedding_checksum": checksum,
        "labels": json.dumps(list(labels), ensure_ascii=False),
        "sequence_length": str(length),
    }
    least = least_padding(head)
    if least is not None:
        properties[LEAST_PADDING] = str(least)
        file.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "length"
        onnx.checker.check_model(file, full_check=True)
    helper.set_model_props(file, properties)
    return bytes(file.SerializeToString(deterministic=True))


def _last_layer(network: Network) -> Layer:
    """The layer whose activation made the scores, for an error."""
    without_effect = ("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise")
    for call in reversed(network.calls):
        if call.layer.network is not None:
            return _last_layer(call.layer.network)
        if call.layer.class_name not in without_effect:
            return call.layer
    return network.calls[-1].layer


def _proto(
    graph: Graph, result: str, length: int, embedding: Layer, labels: int
) -> onnx.ModelProto:
    if graph.mode == "whole":
        inputs = [_shaped(INDICES, ["batch", length], TensorProto.INT32)]
    else:
        channels = embedding.config["output_dim"]
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
    name: str, shape: Sequence[str | int], dtype: int = TensorProto.FLOAT
) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)
