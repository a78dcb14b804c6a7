"""TextVectorization inside a model: the app does its work, by its rules and with its words.

The layer turns a text into word indices: 0 is padding, 1 every unknown word, and words count from 2
on. Its vocabulary is in the configuration if it was given as such, else (after `adapt`) in the
assets of a `.keras` archive; an `.h5` does not hold it then.
Source: keras/src/layers/preprocessing/text_vectorization.py and index_lookup.py (2.15 and 3.x).
"""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import numpy as np

from controller.model_build.architecture import Layer
from controller.model_build.errors import BuildError
from controller.model_build.graph import Graph, Tensor
from controller.model_build.keras_file import open_model
from controller.model_build.keras_model import KerasModel
from controller.model_build.registry import converts, require, whole_number
from controller.model_build.word_index import WordIndex

CLASS_NAME = "TextVectorization"
UNKNOWN = "[UNK]"
# DEFAULT_STRIP_REGEX of the source.
PUNCTUATION = "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'"
_STANDARDIZE: dict[Any, tuple[bool, str]] = {
    "lower_and_strip_punctuation": (True, PUNCTUATION),
    "lower": (True, ""),
    "strip_punctuation": (False, PUNCTUATION),
    None: (False, ""),
}
_WITHOUT_IT = (
    "save the model without this layer and give --word-index with the rules that replace it"
)


@converts(
    CLASS_NAME,
    "max_tokens standardize split ngrams output_mode output_sequence_length pad_to_max_tokens "
    "sparse ragged vocabulary idf_weights encoding vocabulary_size",
    inputs="indices",
)
def _text_vectorization(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    return x  # The app makes the word indices.


def vectorization_of(model: KerasModel) -> Layer | None:
    """The model's TextVectorization; None without one.

    Raises:
        UnsupportedLayer: a second one, or one inside a nested model.
    """
    found = [layer for layer in model.network.leaves() if layer.class_name == CLASS_NAME]
    if len(found) > 1:
        raise found[1].unsupported("the model has two of them")
    if found and len(found[0].path) > 1:
        raise found[0].unsupported("it is inside a nested model")
    return found[0] if found else None


def read_vectorization(path: Path, architecture: Path | None) -> WordIndex:
    """The words of the TextVectorization of a model file, with its rules as settings.

    Raises:
        UnsupportedLayer: its options have no counterpart.
        BuildError: the model has none, or the file does not hold its words.
    """
    with open_model(path, architecture) as model:
        index = words_in_model(model)
    if index is None:
        raise BuildError(
            f"{path}: the model takes word indices, and the file does not hold the words: "
            "name the tokenizer's word index with --word-index"
        )
    return index


def words_in_model(model: KerasModel) -> WordIndex | None:
    """The words of a model's TextVectorization, with its rules as settings; None without one.

    Raises:
        UnsupportedLayer: as `read_vectorization`.
    """
    layer = vectorization_of(model)
    if layer is None:
        return None
    settings = _settings(layer)
    words = _words(model, layer)
    indices = np.frombuffer(array("q", range(1, len(words) + 1)), np.int64)
    return WordIndex(words, indices, settings)


def has_vectorization(model: KerasModel) -> bool:
    """Whether a model has a TextVectorization, supported or not."""
    return any(layer.class_name == CLASS_NAME for layer in model.network.leaves())


def holds_words(path: Path, architecture: Path | None) -> bool:
    """Whether a model file has a TextVectorization; False also where it cannot be read."""
    try:
        with open_model(path, architecture) as model:
            return has_vectorization(model)
    except BuildError:
        return False


def _settings(layer: Layer) -> dict[str, Any]:
    """The settings of a build that the layer states."""
    options = layer.config
    standardize = options.get("standardize", "lower_and_strip_punctuation")
    if not isinstance(standardize, (str, type(None))) or standardize not in _STANDARDIZE:
        raise _own_code(layer, "standardize", standardize)
    if options.get("split") != "whitespace":
        raise _own_code(layer, "split", options.get("split"))
    for option, expected in (("ngrams", None), ("output_mode", "int")):
        if options.get(option, expected) != expected:
            raise layer.unsupported(f"its option {option} is {options[option]!r}")
    require(layer, "ragged", False)
    require(layer, "sparse", False)
    require(layer, "encoding", "utf-8")
    if options.get("output_sequence_length") is None:
        raise layer.unsupported(
            "it has no output_sequence_length, so that the length depends on the other texts of a "
            "batch: " + _WITHOUT_IT
        )
    whole_number(layer, "output_sequence_length")
    lower, filters = _STANDARDIZE[standardize]
    return {
        "style": "text_vectorization",
        "num_words": None,
        "lower": lower,
        "filters": filters,
        "split": " ",
        "char_level": False,
        "oov_token": UNKNOWN,
        "padding": "post",
        "truncating": "post",
    }


def _own_code(layer: Layer, option: str, value: Any) -> BuildError:
    name = value.get("config", value) if isinstance(value, dict) else value
    return layer.unsupported(f"its option {option} is {name!r}: {_WITHOUT_IT}")


def _words(model: KerasModel, layer: Layer) -> list[bytes]:
    """The unknown word, then the words of the vocabulary, as UTF-8."""
    given = layer.config.get("vocabulary")
    if given is not None:
        if not isinstance(given, list) or not all(isinstance(word, str) for word in given):
            raise layer.unsupported("its option vocabulary is not a list of words")
        words = given
    elif model.vocabulary is not None:
        words = model.vocabulary.split("\n")
        while words and not words[-1]:
            del words[-1]
        if words != model.vocabulary.rstrip("\n").splitlines():
            raise layer.unsupported("a word of its vocabulary contains a line break of Unicode")
    else:
        raise layer.unsupported(
            "the file does not hold its vocabulary: save the model with model.save('model.keras')"
        )
    if words[:2] == ["", UNKNOWN]:
        words = words[2:]
    elif words[:1] == [UNKNOWN]:
        words = words[1:]
    if len(set(words) - {"", UNKNOWN}) != len(words):
        raise layer.unsupported("its vocabulary holds a word twice, or one that is empty")
    return [word.encode("utf-8") for word in (UNKNOWN, *words)]
