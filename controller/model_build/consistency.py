"""Check that model, word index and settings belong together, before the long part of a build."""

from __future__ import annotations

from controller.model_build.errors import BuildError
from controller.model_build.head import stated_length
from controller.model_build.keras_model import KerasModel
from controller.model_build.registry import whole_number
from controller.model_build.settings import Settings, how_to_give
from controller.model_build.word_index import WordIndex
from tox_com_det.model.windows import Windows

# Of a head that is only tried, where the length is still to be asked for.
TRIAL_LENGTH = 100


def sequence_length(model: KerasModel, settings: Settings) -> int | None:
    """The sequence length, which the model or the settings state; None where neither does.

    Raises:
        BuildError: they contradict each other.
    """
    stated, given = stated_length(model), settings.length
    if stated is not None and given is not None and stated != given:
        raise BuildError(
            f"length is {given}, but the model in {model.path} takes {stated} tokens: "
            f"leave it out, or give {how_to_give('length', stated)}"
        )
    return stated if stated is not None else given


def length_question() -> str:
    """What to ask where nothing states the sequence length."""
    return (
        "the model does not state its sequence length: give the maxlen of pad_sequences, "
        f"{how_to_give('length', 100)}"
    )


def windows_of(settings: Settings, length: int) -> Windows | None:
    """How the server reads a text with more words than the sequence length; None cuts it.

    Raises:
        BuildError: the stride is longer than a window, so that no window has the words between.
    """
    if settings.windows in (None, 1):
        return None
    stride = settings.stride if settings.stride is not None else max(1, length * 3 // 4)
    if stride > length:
        raise BuildError(
            f"stride is {stride}, more than the sequence length {length}, so that words between "
            f"two windows would be in none: give {how_to_give('stride', max(1, length * 3 // 4))}"
        )
    return Windows(settings.windows, stride, settings.pooling or "max")


def check_ends(model: KerasModel) -> None:
    """Refuse a model that reads or gives more than one thing, which nothing else says so clearly.

    Raises:
        BuildError: several inputs or outputs, or no layers.
    """
    network = model.network
    if not network.calls:
        raise BuildError(f"{model.path}: the model has no layers: save the trained model")
    for ends, what, rest in (
        (network.inputs, "inputs", "one input of word indices"),
        (network.outputs, "outputs", "one output of scores"),
    ):
        if len(ends) > 1:
            names = ", ".join(_end(model, name) for name, _, _ in ends)
            raise BuildError(
                f"{model.path}: the model has {len(ends)} {what} ({names}); only models with "
                f"{rest} are supported"
            )


def _end(model: KerasModel, name: str) -> str:
    """An input or output by its name, an input with its shape."""
    for layer in model.layers:
        shape = layer.config.get("batch_shape") or layer.config.get("batch_input_shape")
        if layer.name == name and layer.class_name == "InputLayer" and shape:
            return f"{name!r} {' x '.join('any' if one is None else str(one) for one in shape[1:])}"
    return repr(name)


def embedding_rows(model: KerasModel) -> int:
    """Number of rows that every Embedding of the model has, by its configuration.

    Raises:
        BuildError: the model has no Embedding.
    """
    rows = [
        whole_number(layer, "input_dim")
        for layer in model.network.leaves()
        if layer.class_name == "Embedding"
    ]
    if not rows:
        raise BuildError(
            f"{model.path}: the model has no Embedding layer: {_reads(model)}; only text "
            "classifiers whose first layer is an Embedding of word indices are supported"
        )
    return min(rows)


def _reads(model: KerasModel) -> str:
    """What a model without an Embedding takes for one text."""
    for layer in model.network.leaves():
        if layer.class_name == "TextVectorization":
            if layer.config.get("output_mode", "int") == "int":
                return "its TextVectorization makes word indices, which no layer of it reads"
            return "its TextVectorization makes counts, not word indices"
        shape = layer.config.get("batch_shape") or layer.config.get("batch_input_shape")
        if layer.config.get("dtype") == "string":
            continue
        if isinstance(shape, list) and len(shape) == 2 and shape[1] is not None:
            return f"it takes {shape[1]} numbers for a text, such as counts, TF-IDF or an encoding"
        if isinstance(shape, list) and len(shape) > 2:
            sizes = " x ".join("any" if one is None else str(one) for one in shape[1:])
            return f"it takes {sizes} numbers, such as ready-made word vectors or a picture"
    return "it takes numbers, not words"


def label_question(settings: Settings, size: int) -> str | None:
    """What to ask where nobody names the `size` scores of the model; None where somebody does."""
    if settings.labels:
        return None
    if size == 1:
        return (
            "the model returns a score, but a Keras model does not name it: give a name, "
            f"{how_to_give('labels', 'toxic')}"
        )
    return (
        f"the model returns {size} scores, but a Keras model does not name them: give {size} "
        f"names, {how_to_give('labels', 'toxic,insult,...')}"
    )


def label_names(model: KerasModel, settings: Settings, size: int) -> tuple[str, ...]:
    """Names of the scores, one for each of the `size` scores of the model.

    Raises:
        BuildError: another number of names.
    """
    if len(settings.labels) != size:
        raise BuildError(
            f"{len(settings.labels)} labels {list(settings.labels)}, but the model in "
            f"{model.path} returns {size} scores: give {size} names, {how_to_give('labels')}"
        )
    return settings.labels


def unknown_word_row(index: WordIndex, settings: Settings) -> int | None:
    """Row of the out-of-vocabulary token; None without one.

    Raises:
        BuildError: the token is not in the word index below `num_words`.
    """
    if settings.oov_token is None:
        return None
    row = index.get(settings.oov_token)
    if row is None or not settings.tokenizer().reachable(row):
        raise BuildError(
            f"oov_token {settings.oov_token!r} is not in the word index below num_words: "
            "give the word index of the same tokenizer"
        )
    return row
