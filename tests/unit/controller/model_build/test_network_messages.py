"""Models that cannot be built: the message names the layer, the inputs, the version."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import pytest
from keras_files import ROWS, Weights, layer, write_h5

from controller.model_build.build import BuildResult
from controller.model_build.errors import BuildError, UnsupportedLayer

Make = Callable[..., BuildResult]


def stopped(make: Make, h5: Path, match: str) -> str:
    with pytest.raises(BuildError, match=match) as caught:
        make(h5=h5, labels=["a", "b"])
    assert "\n" not in str(caught.value)
    assert "in a form that Keras writes" not in str(caught.value)
    return str(caught.value)


def functional(path: Path, layers: list[Any], inputs: list[Any], outputs: list[Any]) -> Path:
    """An `.h5` with a Functional model in the form of Keras 2, without weights."""
    config = {"name": "m", "layers": layers, "input_layers": inputs, "output_layers": outputs}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": config})
        file.attrs["keras_version"] = "2.15.0"
        file.create_group("model_weights")
    return path


def node(kind: str, name: str, *inbound: str, **config: Any) -> dict[str, Any]:
    nodes = [[[one, 0, 0, {}] for one in inbound]] if inbound else []
    config = {"name": name, **config}
    return {"class_name": kind, "name": name, "config": config, "inbound_nodes": nodes}


@pytest.mark.parametrize(
    "config",
    [
        {"units": 3},  # Keras 3 and 2.13: the arguments of __init__
        {"trainable": True, "dtype": "float32"},
        {},
    ],
)
@pytest.mark.parametrize("registered", [None, "Custom>Attention2", "MyAttention"])
def test_custom_layer_without_get_config_is_named(
    make: Make,
    tmp_path: Path,
    config: dict[str, Any],
    registered: str | None,
    small_layers: list[dict[str, Any]],
) -> None:
    custom = {"class_name": "MyAttention", "config": config}
    if registered is not None:
        custom["registered_name"] = registered
    h5 = write_h5(tmp_path / "model.h5", [small_layers[0]], {})
    with h5py.File(h5, "r+") as file:
        layers = [small_layers[0], custom, small_layers[2]]
        model = {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}
        file.attrs["model_config"] = json.dumps(model)
    message = stopped(make, h5, r"layer 1 \(MyAttention '.*'\) is not supported: it is a custom cl")
    assert "get_config" in message or "Custom>" in message


def test_custom_layer_of_a_functional_model_is_named(make: Make, tmp_path: Path) -> None:
    custom = node("MyAttention", "att", "e")
    custom["config"] = {"units": 3}
    layers = [
        node("InputLayer", "i", batch_input_shape=[None, 8]),
        node("Embedding", "e", "i", input_dim=ROWS, output_dim=4),
        custom,
    ]
    h5 = functional(tmp_path / "model.h5", layers, [["i", 0, 0]], [["att", 0, 0]])
    stopped(make, h5, r"layer 2 \(MyAttention 'att'\) is not supported: .* without get_config")


@pytest.mark.parametrize("lengths", [(8, 8), (8, 30), (None, 5)])
def test_two_inputs_are_named_as_such(make: Make, tmp_path: Path, lengths: tuple[Any, Any]) -> None:
    one, other = lengths
    layers = [
        node("InputLayer", "question", batch_input_shape=[None, one]),
        node("InputLayer", "answer", batch_input_shape=[None, other]),
        node("Embedding", "e", "question", input_dim=ROWS, output_dim=4),
        node("Embedding", "f", "answer", input_dim=ROWS, output_dim=4),
        node("Concatenate", "c", "e", "f", axis=-1),
    ]
    ends = [["question", 0, 0], ["answer", 0, 0]]
    h5 = functional(tmp_path / "model.h5", layers, ends, [["c", 0, 0]])
    shown = one if one is not None else "any"
    stopped(make, h5, rf"the model has 2 inputs \('question' {shown}, 'answer' {other}\)")


def test_two_outputs_are_named_as_such(make: Make, tmp_path: Path) -> None:
    layers = [
        node("InputLayer", "i", batch_input_shape=[None, 8]),
        node("Embedding", "e", "i", input_dim=ROWS, output_dim=4),
        node("GlobalMaxPooling1D", "g", "e"),
        node("Dense", "toxic", "g", units=1, activation="sigmoid"),
        node("Dense", "topic", "g", units=3, activation="softmax"),
    ]
    ends = [["toxic", 0, 0], ["topic", 0, 0]]
    h5 = functional(tmp_path / "model.h5", layers, [["i", 0, 0]], ends)
    stopped(make, h5, r"the model has 2 outputs \('toxic', 'topic'\)")


@pytest.mark.parametrize(
    "config",
    [
        {"name": "m", "layers": []},
        [],
        {"name": "m", "layers": [layer("InputLayer", batch_input_shape=[None, 8])]},
    ],
)
def test_sequential_without_layers_is_named(make: Make, tmp_path: Path, config: Any) -> None:
    h5 = write_h5(tmp_path / "model.h5", [], {})
    with h5py.File(h5, "r+") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": config})
    stopped(make, h5, "the model has no layers: save the trained model")


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ([None, 500], "takes 500 numbers for a text, such as counts, TF-IDF"),
        ([None, 50, 300], "takes 50 x 300 numbers, such as ready-made word vectors"),
    ],
)
def test_model_without_an_embedding_says_what_it_reads(
    make: Make, tmp_path: Path, shape: list[Any], says: str
) -> None:
    layers = [
        layer("InputLayer", batch_input_shape=shape),
        layer("Dense", units=1, activation="sigmoid", use_bias=True),
    ]
    h5 = write_h5(tmp_path / "model.h5", layers, {})
    stopped(make, h5, f"no Embedding layer: it {says}")
    # No word index would help, so none is asked for.
    stopped(partial(make, words=None), h5, f"no Embedding layer: it {says}")


def test_vectorization_alone_is_no_model(make: Make, tmp_path: Path) -> None:
    layers = [
        layer("InputLayer", batch_input_shape=[None, 1], dtype="string"),
        layer("TextVectorization", output_mode="int", split="whitespace", vocabulary=["a"]),
    ]
    h5 = write_h5(tmp_path / "model.h5", layers, {})
    says = "no Embedding layer: its TextVectorization makes word indices, which no layer of it"
    stopped(partial(make, words=None), h5, says)


def test_model_that_was_saved_before_it_had_weights_is_named(
    make: Make, tmp_path: Path, small_layers: list[dict[str, Any]]
) -> None:
    h5 = write_h5(tmp_path / "model.h5", small_layers, {})
    stopped(make, h5, "holds no weights at all: .*before it was built or trained")


@pytest.mark.parametrize("version", [b"1.2.2", b"0.3.3", None])
def test_model_of_keras_1_is_named(
    make: Make, tmp_path: Path, version: bytes | None, small_layers: list[dict[str, Any]]
) -> None:
    convolution = layer("Convolution1D", nb_filter=3, filter_length=2, border_mode="same")
    h5 = write_h5(tmp_path / "model.h5", [small_layers[0], convolution], {})
    with h5py.File(h5, "r+") as file:
        if version is None:
            del file.attrs["keras_version"]
        else:
            file.attrs["keras_version"] = version
    shown = version.decode() if version else "1"
    stopped(make, h5, f"written by Keras {shown}, .*open it with Keras 2.2")


def test_model_of_keras_1_with_known_layers_is_named_by_its_version(
    make: Make, tmp_path: Path, small_layers: list[dict[str, Any]], small_weights: Weights
) -> None:
    h5 = write_h5(tmp_path / "m.h5", small_layers, small_weights, keras_version=b"1.1.0")
    stopped(make, h5, "written by Keras 1.1.0")


def test_subclassed_model_says_that_its_layers_are_in_code(make: Make, tmp_path: Path) -> None:
    h5 = write_h5(tmp_path / "model.h5", [], {})
    with h5py.File(h5, "r+") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Toxic", "config": {"units": 3}})
    stopped(make, h5, "this is a Toxic model, a class of its own whose layers are in Python code")


def test_tokenizer_in_place_of_an_architecture_is_named(make: Make, tmp_path: Path) -> None:
    weights = tmp_path / "weights.h5"
    with h5py.File(weights, "w") as file:
        file.attrs["layer_names"] = []
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({"class_name": "Tokenizer", "config": {"word_index": "{}"}}))
    with pytest.raises(BuildError, match="this is a Tokenizer, not a model"):
        make(h5=weights, architecture=path)


def test_unsupported_layer_is_still_named_first(
    make: Make, tmp_path: Path, small_layers: list[dict[str, Any]]
) -> None:
    h5 = write_h5(tmp_path / "m.h5", [small_layers[0], layer("Lambda")], {})
    with pytest.raises(UnsupportedLayer, match=r"layer 1 \(Lambda 'lambda'\)"):
        make(h5=h5, labels=["a"])
