"""Converters of Embedding, Dense, TimeDistributed, and of layers that only train.

Source: Keras layer documentation; ONNX operators of opset 15 (Gather-13, MatMul-13).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from controller.model_build.activations import activate
from controller.model_build.architecture import Layer
from controller.model_build.errors import BuildError
from controller.model_build.graph import TOKENS, Graph, Tensor
from controller.model_build.registry import (
    REGISTRY,
    check_options,
    converts,
    sequence_length,
    whole_number,
)
from controller.model_build.weights import inner_layer
from tox_com_det.model.encode import INDICES, VECTORS

_MAX_HEAD_BYTES = 1024 * 1024 * 1024


@converts(
    "Embedding",
    "output_dim mask_zero sparse embeddings_initializer embeddings_regularizer "
    "embeddings_constraint",
    inputs="indices",
)
def _embedding(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    if layer.config.get("sparse"):
        raise layer.unsupported("its option sparse is True")
    rows, channels = whole_number(layer, "input_dim"), whole_number(layer, "output_dim")
    mask = TOKENS if layer.config.get("mask_zero") else None
    matrix = graph.model.dataset(layer, "embeddings", (rows, channels))
    if graph.mode == "split":
        if graph.embedding is not None and graph.embedding.path != layer.path:
            raise layer.unsupported(
                f"the model has two embeddings (the other one is {graph.embedding.name!r}), but "
                "mode split supports one: build with --mode whole"
            )
        graph.embedding = layer
        return Tensor(VECTORS, x.length, channels, mask=mask)
    kept = min(rows, graph.rows or rows)
    if 4 * kept * channels > _MAX_HEAD_BYTES:
        raise BuildError(
            f"{graph.model.path}: the embedding matrix of {kept} x {channels} is too large for "
            "mode whole: build with --mode split"
        )
    graph.embedding = graph.embedding or layer
    values = np.asarray(matrix[:kept]).astype(np.float32)
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        raise BuildError(
            f"{graph.model.path}: row {row} of the embedding contains NaN or infinity: "
            "train the model again"
        )
    name = graph.node("Gather", [graph.layer_constant(layer, "embeddings", values), INDICES])
    return Tensor(name, x.length, channels, mask=mask)


@converts("Dense", "units activation use_bias", keeps_mask=True, planes=True)
def _dense(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    units = whole_number(layer, "units")
    x = graph.channels_last(x)  # Keras multiplies along the last axis, also of a sequence
    kernel = graph.weight(layer, "kernel", (x.channels, units))
    name = graph.node("MatMul", [x.name, graph.layer_constant(layer, "kernel", kernel)])
    if layer.config.get("use_bias", True):
        bias = graph.weight(layer, "bias", (units,))
        name = graph.node("Add", [name, graph.layer_constant(layer, "bias", bias)])
    made = Tensor.shaped(name, [*x.shape[:-1], units], mask=x.mask)
    return activate(graph, layer, made, layer.config.get("activation"))


# Layers that treat every position alike, so that TimeDistributed changes nothing.
_PER_POSITION = ("Dense", "Activation", "Dropout", "ReLU", "LeakyReLU", "ELU", "LayerNormalization")


@converts("TimeDistributed", "layer", keeps_mask=True)
def _time_distributed(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    sequence_length(layer, x)
    inner = inner_layer(layer)
    if inner.class_name not in _PER_POSITION:
        raise layer.unsupported(f"its layer is a {inner.class_name}")
    entry = REGISTRY[inner.class_name]
    check_options(layer, inner.config, entry.options)
    if inner.config.get("axis") in (1, [1]):  # counted without the positions
        inner = replace(inner, config=inner.config | {"axis": -1})
    made: Tensor = entry.convert(graph, inner, x)
    return made


@converts("Dropout", "rate noise_shape", keeps_mask=True, planes=True)
@converts("SpatialDropout2D", "rate noise_shape data_format", planes=True)
@converts("SpatialDropout1D", "rate noise_shape data_format", keeps_mask=True)
@converts("AlphaDropout", "rate noise_shape", keeps_mask=True)
@converts("GaussianDropout", "rate", keeps_mask=True)
@converts("GaussianNoise", "stddev", keeps_mask=True)
@converts("ActivityRegularization", "l1 l2", keeps_mask=True)
@converts("Identity", keeps_mask=True)
def _only_in_training(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    return x
