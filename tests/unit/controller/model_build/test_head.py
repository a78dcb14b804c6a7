"""The converted head returns Keras' scores; what cannot be converted exactly is refused by name."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from keras_files import head_of, layer

from controller.model_build.convert import supported_layers
from controller.model_build.errors import BuildError, UnsupportedLayer
from controller.model_build.head import with_metadata
from controller.model_build.keras_file import open_model
from controller.model_build.scoring import open_session, run


def refused(path, *parts):
    with pytest.raises(UnsupportedLayer) as caught:
        head_of(path)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message
    return caught.value


def test_scores_equal_keras_within_1e_5(any_recorded):
    head, matrix = head_of(any_recorded.path)
    session = open_session(head.proto.SerializeToString())
    vectors = {"vectors": matrix[any_recorded.tokens].astype(np.float32)}
    difference = np.abs(run(session, vectors) - any_recorded.scores).max()
    assert difference <= 1e-5
    assert any_recorded.scores.max() - any_recorded.scores.min() > 0.7  # not a flat fixture


def test_author_graph_equals_a_forward_pass_in_plain_numpy(author_same):
    """The arithmetic of the author's layers, independent of ONNX and of Keras."""
    with open_model(author_same.path) as model:
        weights = [
            {name: np.asarray(data, np.float64) for name, data in model.weights(one).items()}
            for one in model.layers
            if one.class_name in ("Embedding", "Conv1D", "Dense")
        ]

    def conv(x, w):
        size = len(w["kernel"])
        left = (size - 1) // 2
        padded = np.pad(x, ((0, 0), (left, size - 1 - left), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)
        return np.maximum(np.einsum("blck,kcf->blf", windows, w["kernel"]) + w["bias"], 0.0)

    def pool(x):  # 100 -> 20 -> 4: no padding needed
        return x.reshape(len(x), x.shape[1] // 5, 5, -1).max(axis=2)

    x = weights[0]["embeddings"][author_same.tokens]
    x = conv(pool(conv(pool(conv(x, weights[1])), weights[2])), weights[3]).max(axis=1)
    x = np.maximum(x @ weights[4]["kernel"] + weights[4]["bias"], 0.0)
    scores = 1.0 / (1.0 + np.exp(-(x @ weights[5]["kernel"] + weights[5]["bias"])))

    head, matrix = head_of(author_same.path)
    vectors = {"vectors": matrix[author_same.tokens].astype(np.float32)}
    ours = run(open_session(head.proto.SerializeToString()), vectors)
    assert np.abs(ours - scores).max() <= 1e-5


def test_head_is_opset_15_ir_8_with_the_named_input_and_output(author_same):
    head = head_of(author_same.path)[0].proto
    assert head.ir_version == 8
    assert [(one.domain, one.version) for one in head.opset_import] == [("", 15)]
    shapes = [
        [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*head.graph.input, *head.graph.output)
    ]
    assert [head.graph.input[0].name, head.graph.output[0].name] == ["vectors", "scores"]
    assert shapes == [["batch", 100, 6], ["batch", 6]]


def test_head_contains_the_checksum_of_its_embedding(author_same):
    head = head_of(author_same.path)[0].proto
    file = with_metadata(head, "sha256:00", ["a", "ü"], 100)
    metadata = {one.key: one.value for one in onnx.load_from_string(file).metadata_props}
    assert metadata == {
        "embedding_checksum": "sha256:00",
        "labels": '["a", "ü"]',
        "sequence_length": "100",
    }


@pytest.mark.parametrize(
    "class_name", ["ConvLSTM1D", "CuDNNLSTM", "StringLookup", "MyAttention", "Lambda", "Conv3D"]
)
def test_unsupported_layer_is_refused_by_name_class_and_position(
    make_h5, small_layers, small_weights, class_name
):
    small_layers.insert(1, layer(class_name, name="memory", units=4))
    error = refused(make_h5(small_layers, small_weights), class_name, "'memory'", "layer 1")
    assert (error.position, error.class_name, error.layer_name) == ("1", class_name, "memory")
    assert class_name not in supported_layers()


@pytest.mark.parametrize(
    ("class_name", "options", "named"),
    [
        ("Conv1D", {"padding": "reflect"}, "padding is 'reflect'"),
        ("Conv1D", {"data_format": "channels_first"}, "data_format"),
        ("Conv1D", {"groups": 4}, "groups is 4"),
        ("Conv1D", {"activation": "sparsemax"}, "activation is 'sparsemax'"),
        ("Conv1D", {"dtype": "float16"}, "float16"),
        ("Conv1D", {"dtype": {"config": {"name": "mixed_bfloat16"}}}, "mixed_bfloat16"),
        ("Conv1D", {"kernel_size": [9]}, "window of 9 is wider than its input of 8 positions"),
        ("MaxPooling1D", {"data_format": "channels_first"}, "data_format"),
        ("GlobalMaxPooling1D", {"keepdims": "yes"}, "keepdims is 'yes'"),
        ("TimeDistributed", {"layer": {"class_name": "LSTM", "config": {}}}, "its layer is a LSTM"),
        ("Reshape", {"target_shape": [5, 5]}, "reshapes [8, 6] to [5, 5]"),
        ("Permute", {"dims": [1, 3]}, "dims is [1, 3]"),
        ("LayerNormalization", {"axis": 1}, "axis is 1"),
        ("Conv2D", {}, "its input has the shape [8, 6], not three axes"),
        ("Dense", {"brand_new_option": 3}, "brand_new_option=3 is unknown"),
        ("Activation", {"activation": {"class_name": "Mine"}}, "activation"),
    ],
)
def test_unknown_option_is_refused(
    make_h5, small_layers, small_weights, class_name, options, named
):
    needed = {"filters": 3, "kernel_size": [2], "pool_size": [2], "units": 3, "name": "odd"}
    takes = {
        "Conv1D": ("filters", "kernel_size"),
        "MaxPooling1D": ("pool_size",),
        "Dense": ("units",),
    }.get(class_name, ())
    config = {"name": "odd"} | {key: needed[key] for key in takes} | options
    small_layers.insert(1, layer(class_name, **config))
    small_weights["odd"] = {
        "kernel": np.zeros((2, 6, 3) if class_name == "Conv1D" else (6, 3), np.float32),
        "bias": np.zeros(3, np.float32),
    }
    refused(make_h5(small_layers, small_weights), named, "'odd'", class_name)


@pytest.mark.parametrize(
    ("change", "named"),
    [({"sparse": True}, "sparse"), ({"dtype": "float64"}, "float64"), ({"new": 1}, "new=1")],
)
def test_embedding_with_unknown_options_is_refused(
    make_h5, small_layers, small_weights, change, named
):
    small_layers[0]["config"].update(change)
    refused(make_h5(small_layers, small_weights), named, "Embedding", "layer 0")


def test_model_that_does_not_start_with_an_embedding_is_refused(
    make_h5, small_layers, small_weights
):
    refused(make_h5(small_layers[1:], small_weights), "the first layer must be an Embedding")


def test_custom_class_with_a_known_name_is_refused(make_h5, small_layers, small_weights):
    small_layers[2]["registered_name"] = "mine>Dense"
    refused(make_h5(small_layers, small_weights), "mine>Dense", "layer 2")


def test_model_that_ends_in_a_sequence_is_refused(make_h5, small_layers, small_weights):
    del small_layers[1]
    path = make_h5(small_layers, small_weights)
    with pytest.raises(BuildError, match=r"the output has the shape \[batch, 8, 2\]"):
        head_of(path)


@pytest.mark.parametrize("activation", ["linear", "relu", "tanh", None])
def test_scores_outside_0_to_1_are_refused(make_h5, small_layers, small_weights, activation):
    """The server refuses such scores at each prediction."""
    small_layers[2]["config"]["activation"] = activation
    small_layers.append(layer("Dropout", rate=0.5))
    refused(make_h5(small_layers, small_weights), "layer 2", f"softmax, it is {activation!r}")


def test_dropout_after_the_scores_changes_nothing(make_h5, small_layers, small_weights):
    plain = head_of(make_h5(small_layers, small_weights))[0].proto
    small_layers.append(layer("Dropout", rate=0.5))
    dropped = head_of(make_h5(small_layers, small_weights))[0].proto
    assert plain == dropped
