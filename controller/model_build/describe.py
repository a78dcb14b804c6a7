"""Messages of a build about the model and the bundle, one line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from controller.model_build.consistency import windows_of
from controller.model_build.dead_positions import warning
from controller.model_build.dump import Dump
from controller.model_build.head import Head
from controller.model_build.keras_model import KerasModel
from controller.model_build.settings import Settings
from controller.model_build.vocabulary import Vocabulary
from controller.progress import megabytes
from tox_com_det.model.manifest import Manifest

_NUMBER_BYTES = 4


def describe_model(
    model: KerasModel, head: Head, chosen: Vocabulary, settings: Settings
) -> Iterator[str]:
    """Lines about layers, words that are left out, and the memory of the head."""
    layers = " -> ".join(
        layer.class_name
        for layer in model.network.leaves()
        if layer.class_name not in ("InputLayer", "NotEqual")
    )
    masked = "; padding is masked" if head.masked else ""
    yield (
        f"{model.path}: {layers}; embedding matrix {head.rows} x {head.dimension}, saved by Keras "
        f"{model.keras_version}{masked}"
    )
    if settings.normalization != "keras":
        yield f"texts are normalized first: {settings.normalization}"
    windows = windows_of(settings, head.length)
    if windows is not None:
        yield (
            f"texts of more than {head.length} known words are read in up to {windows.most} "
            f"windows, {windows.stride} words apart: {windows.capacity(head.length)} words, scored "
            f"by the {windows.pooling} of each label"
        )
    if chosen.unreachable:
        yield (
            f"{chosen.unreachable} words of the index are left out: num_words="
            f"{settings.num_words} cuts them off"
        )
    if chosen.unused_rows > 0:
        yield (
            f"{chosen.unused_rows} of {head.rows} rows of the embedding matrix are left out: "
            "no word of the index uses them"
        )
    size = len(head.proto.SerializeToString())
    matrix = len(chosen) * head.dimension * _NUMBER_BYTES
    if head.mode == "whole":
        yield (
            f"mode whole: the head contains the embedding and takes {megabytes(size)} per worker "
            f"process (mode split would take {megabytes(max(0, size - matrix))} and keep the word "
            "vectors in MongoDB)"
        )
    else:
        yield (
            f"mode split: the head takes {megabytes(size)} per worker process, "
            f"{megabytes(matrix)} of word vectors are kept in MongoDB (mode whole would take "
            f"{megabytes(size + matrix)} per worker process)"
        )


def describe_dump(dump: Dump, dtype: str) -> str:
    """A line about the dump of the word vectors."""
    what = "word indices" if dtype == "index" else f"word vectors ({dtype})"
    return f"{dump.count} {what}, {megabytes(dump.bytes)}, collection {dump.collection}"


def warnings_of(manifest: Manifest) -> tuple[str, ...]:
    """Warnings about the model of a bundle."""
    sequence = manifest.sequence
    layers = list(_classes(manifest.architecture))
    line = warning(manifest.dead_positions, sequence.length, sequence.padding, layers)
    return () if line is None else (line,)


def _classes(architecture: object) -> Iterator[str]:
    """Keras classes in an architecture, those of nested models and wrapped layers as well."""
    if isinstance(architecture, Mapping):
        name = architecture.get("class_name")
        if isinstance(name, str):
            yield name
    elif not isinstance(architecture, list):
        return
    inside = architecture.values() if isinstance(architecture, Mapping) else architecture
    for one in inside:
        yield from _classes(one)
