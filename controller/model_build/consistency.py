"""Check that model, word index and settings belong together, before the long part of a build."""

from __future__ import annotations

from controller.model_build.errors import BuildError
from controller.model_build.head import stated_length
from controller.model_build.keras_model import KerasModel
from controller.model_build.registry import whole_number
from controller.model_build.settings import Settings, how_to_give
from controller.model_build.word_index import WordIndex
from tox_com_det.model.windows import Windows


def sequence_length(model: KerasModel, settings: Settings) -> int:
    """The sequence length, which the model or the settings state.

    Raises:
        BuildError: neither states it, or they contradict each other.
    """
    stated, given = stated_length(model), settings.length
    if stated is not None and given is not None and stated != given:
        raise BuildError(
            f"length is {given}, but the model in {model.path} takes {stated} tokens: "
            f"leave it out, or give {how_to_give('length', stated)}"
        )
    length = stated if stated is not None else given
    if length is None:
        raise BuildError(
            f"{model.path}: the model does not state its sequence length: give the maxlen of "
            f"pad_sequences, {how_to_give('length')}"
        )
    return length


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


def embedding_rows(model: KerasModel) -> int:
    """Number of rows that every Embedding of the model has, by its configuration.

    Raises:
        UnsupportedLayer: the model has no Embedding.
    """
    rows = [
        whole_number(layer, "input_dim")
        for layer in model.network.leaves()
        if layer.class_name == "Embedding"
    ]
    if not rows:
        first = next(model.network.leaves(), None)
        if first is None:
            raise BuildError(f"{model.path}: the model has no layers: save the trained model")
        raise first.unsupported("the model has no Embedding; its first layer must be one")
    return min(rows)


def label_names(model: KerasModel, settings: Settings, size: int) -> tuple[str, ...]:
    """Names of the scores, one for each of the `size` scores of the model.

    Raises:
        BuildError: no names, or another number of them.
    """
    if not settings.labels:
        raise BuildError(
            f"{model.path}: the model returns {size} scores, but a Keras model does not name them: "
            f"give {size} names, {how_to_give('labels', 'toxic,insult,...')}"
        )
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
