"""Files of every Keras version are read; a damaged one or another model is a one-line error."""

from __future__ import annotations

import json
import os

import h5py
import numpy as np
import pytest
from keras_files import head_of, layer

from controller.model_build.errors import BuildError
from controller.model_build.keras_file import open_model

NAMES = ["Embedding", "GlobalMaxPooling1D", "Dense"]


def classes(path):
    with open_model(path) as model:
        return [one.class_name for one in model.layers]


def read_all(path):
    with open_model(path) as model:
        for one in model.layers:
            for name, data in model.weights(one).items():
                model.array(one, name, data.shape)


def fails(path, match):
    with pytest.raises(BuildError, match=match) as caught:
        read_all(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_keras_version_is_read_from_every_recorded_file(any_recorded):
    with open_model(any_recorded.path) as model:
        assert model.keras_version == any_recorded.keras
        assert model.architecture["keras_version"] == any_recorded.keras


def test_attributes_may_be_bytes_or_text(make_h5, small_layers, small_weights):
    """Keras h5 version mismatches ('str' object has no attribute 'decode')."""
    path = make_h5(small_layers, small_weights)
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = np.bytes_(file.attrs["model_config"])
        file.attrs["keras_version"] = "3.1.0"
        file["model_weights/dense"].attrs["weight_names"] = ["dense/kernel:0", "dense/bias:0"]
    with open_model(path) as model:
        assert model.keras_version == "3.1.0"
        assert set(model.weights(model.layers[2])) == {"kernel", "bias"}


def test_sequential_of_keras_2_1_is_a_bare_list(make_h5, small_layers, small_weights):
    path = make_h5(small_layers, small_weights)
    with h5py.File(path, "r+") as file:
        old = {"class_name": "Sequential", "config": small_layers}
        file.attrs["model_config"] = json.dumps(old)
        del file.attrs["keras_version"]
    assert classes(path) == NAMES
    with open_model(path) as model:
        assert model.keras_version == "unknown"


def test_long_lists_of_names_are_read_in_chunks(make_h5, small_layers, small_weights):
    path = make_h5(small_layers, small_weights)
    with h5py.File(path, "r+") as file:
        attributes = file["model_weights/dense"].attrs
        first, second = attributes["weight_names"]
        del attributes["weight_names"]
        attributes["weight_names0"], attributes["weight_names1"] = [first], [second]
    with open_model(path) as model:
        assert set(model.weights(model.layers[2])) == {"kernel", "bias"}


def test_missing_file_names_the_option(tmp_path):
    with pytest.raises(BuildError, match=r"does not exist: name the Keras model with --h5"):
        classes(tmp_path / "none.h5")


def test_file_that_is_not_hdf5_is_refused(tmp_path):
    path = tmp_path / "model.h5"
    path.write_bytes(b"Hello there!")
    fails(path, "not a readable HDF5 file")


def test_truncated_archive_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(b"PK\x03\x04 the rest is missing")
    fails(path, r"not a complete \.keras archive")


def test_truncated_file_is_refused(make_h5, small_layers, small_weights):
    path = make_h5(small_layers, small_weights)
    os.truncate(path, path.stat().st_size // 2)
    fails(path, "not a readable HDF5 file .*truncated")


def test_file_with_weights_only_is_refused(tmp_path):
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file.create_group("dense")
    fails(path, "file with weights only has no layers; name .* --architecture")


def test_architecture_without_weights_is_refused(make_h5, small_layers, small_weights):
    path = make_h5(small_layers, small_weights)
    with h5py.File(path, "r+") as file:
        del file["model_weights"]
    fails(path, "no group model_weights")


def test_missing_weights_of_a_layer_are_named(make_h5, small_layers, small_weights):
    path = make_h5(small_layers, small_weights)
    with h5py.File(path, "r+") as file:
        del file["model_weights/dense"]
    fails(path, r"no weights for layer 2 \(Dense 'dense'\)")


def test_missing_weight_is_named(make_h5, small_layers, small_weights):
    path = make_h5(small_layers, small_weights)
    with h5py.File(path, "r+") as file:
        del file["model_weights/dense/dense/bias:0"]
    fails(path, "'dense/bias:0' of layer 'dense' is missing")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(make_h5, small_layers, small_weights, value):
    small_weights["dense"]["kernel"][3, 1] = value
    fails(make_h5(small_layers, small_weights), "'kernel' of layer 2.* contains NaN or infinity")


def test_weights_with_the_wrong_shape_are_refused(make_h5, small_layers, small_weights):
    path = make_h5(small_layers, small_weights)
    with open_model(path) as model, pytest.raises(BuildError, match=r"has the shape \(6, 2\), but"):
        model.array(model.layers[2], "kernel", (6, 3))


@pytest.mark.parametrize("config", ["not json", "[1, 2]", '{"class_name": "Sequential"}'])
def test_invalid_configuration_is_refused(make_h5, small_layers, small_weights, config):
    fails(make_h5(small_layers, small_weights, model_config=config), "model_config")


def functional(layers, inputs, outputs):
    return json.dumps(
        {
            "class_name": "Functional",
            "config": {"layers": layers, "input_layers": inputs, "output_layers": outputs},
        }
    )


def node(entry, *sources):
    nodes = [[[source, 0, 0, {}] for source in sources]] if sources else []
    return entry | {"inbound_nodes": nodes}


def test_functional_model_is_read_in_the_order_of_the_data_flow(make_h5, small_layers):
    listed = [
        node(layer("Dense"), "globalmaxpooling1d"),
        node(layer("GlobalMaxPooling1D"), "embedding"),
        node(layer("InputLayer", name="input")),
        node(layer("Embedding"), "input"),
    ]
    config = functional(listed, [["input", 0, 0]], [["dense", 0, 0]])
    with open_model(make_h5(small_layers, {}, model_config=config)) as model:
        assert [call.layer.class_name for call in model.network.calls] == NAMES


def test_cyclic_graph_is_refused(make_h5, small_layers):
    listed = [
        node(layer("InputLayer", name="input")),
        node(layer("Dense", name="a"), "b"),
        node(layer("Dense", name="b"), "a"),
    ]
    config = functional(listed, [["input", 0, 0]], [["b", 0, 0]])
    fails(make_h5(small_layers, {}, model_config=config), "not in a form that Keras writes")


def test_two_inputs_are_refused(make_h5, small_layers, small_weights):
    listed = [
        node(layer("InputLayer", name="a", batch_input_shape=[None, 8])),
        node(layer("InputLayer", name="b")),
        node(small_layers[0], "a"),
        node(layer("Concatenate"), "embedding", "b"),
    ]
    config = functional(listed, [["a", 0, 0], ["b", 0, 0]], [["concatenate", 0, 0]])
    with pytest.raises(BuildError, match="the model has 2 inputs and 1 outputs"):
        head_of(make_h5(small_layers, small_weights, model_config=config))


def test_architecture_of_another_model_is_refused(tmp_path, make_h5, small_layers):
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file.attrs["layer_names"] = [b"dense"]
        group = file.create_group("dense")
        group.attrs["weight_names"] = [b"dense/kernel:0"]
        group["dense/kernel:0"] = np.zeros((6, 2), np.float32)
    config = {"class_name": "Sequential", "config": {"layers": small_layers}}
    (tmp_path / "model.json").write_text(json.dumps(config))
    with (
        open_model(tmp_path / "weights.h5", tmp_path / "model.json") as model,
        pytest.raises(BuildError, match=r"needs 2 weights \(kernel, bias\), but the file lists 1"),
    ):
        model.weights(model.layers[2])


@pytest.mark.parametrize("text", ["{", "[1]", "3"])
def test_architecture_that_is_not_a_json_object_is_refused(tmp_path, text):
    path = tmp_path / "model.json"
    path.write_text(text)
    (tmp_path / "weights.h5").write_bytes(b"\x89HDF")
    with (
        pytest.raises(BuildError, match=r"the architecture.* is not"),
        open_model(tmp_path / "weights.h5", path),
    ):
        pass


def test_architecture_with_a_number_too_long_to_read_is_said_plainly(tmp_path):
    path = tmp_path / "model.json"
    path.write_text('{"config": ' + "1" * 5000 + "}")
    (tmp_path / "weights.h5").write_bytes(b"\x89HDF")
    with (
        pytest.raises(BuildError, match="a number has 5000 digits, the limit is 4300"),
        open_model(tmp_path / "weights.h5", path),
    ):
        pass


def test_weight_in_the_place_of_another_is_refused(make_h5, small_layers, small_weights):
    path = make_h5(small_layers, small_weights)
    with h5py.File(path, "r+") as file:
        file["model_weights/dense"].attrs["weight_names"] = [b"dense/bias:0", b"dense/kernel:0"]
    fails(path, r"'dense/bias:0' of layer 2 .* is in the place of 'kernel' of 'dense'")


def test_names_numbered_by_tensorflow_are_read(make_h5, small_layers, small_weights):
    path = make_h5(small_layers, small_weights)
    with h5py.File(path, "r+") as file:
        group = file["model_weights/dense"]
        group.move("dense/kernel:0", "dense_3/kernel_2:0")
        group.attrs["weight_names"] = [b"dense_3/kernel_2:0", b"dense/bias:0"]
    with open_model(path) as model:
        assert model.weights(model.layers[2])["kernel"].shape == (6, 2)


def test_optimizer_weights_and_training_config_are_ignored(make_h5, small_layers, small_weights):
    path = make_h5(small_layers, small_weights, training_config=b'{"loss": "mine"}')
    with h5py.File(path, "r+") as file:
        file.create_group("optimizer_weights")["Adam/iterations:0"] = 3
    assert classes(path) == NAMES
    read_all(path)
