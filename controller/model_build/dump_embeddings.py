"""`fab dump-embeddings`: word vectors of any source as a directory for mongorestore."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from controller.model_build.downloads import check_input
from controller.model_build.dump import DATABASE, Dump, check_space, write_dump
from controller.model_build.errors import BuildError, from_os_error
from controller.model_build.hdf5 import DataSet
from controller.model_build.keras_file import as_keras_writes, open_model
from controller.model_build.keras_model import KerasModel
from controller.model_build.place import replacing
from controller.model_build.plausibility import (
    Unusual,
    check_found,
    check_indices,
    check_rows,
    check_words,
)
from controller.model_build.rows import (
    NUMBER_BYTES,
    ROW_TYPE,
    as_float16,
    open_rows,
    scratch_file,
)
from controller.model_build.settings import Settings, make_settings
from controller.model_build.source_vectors import collect
from controller.model_build.vector_files import (
    ZIP,
    open_vectors,
    read_articles_dump,
    read_vectors,
)
from controller.model_build.vocabulary import vocabulary
from controller.model_build.word_index import WordIndex, read_word_index
from controller.progress import megabytes, step_progress
from tox_com_det.model.tokenizer import TokenizerRules

Say = Callable[[str], None]
_HDF5 = b"\x89HDF\r\n\x1a\n"
_LARGEST_INDEX = 2**31


@dataclass
class _Rounding:
    """Rounds rows as they are dumped; records the largest change by rounding to float16."""

    dtype: str
    largest: float = 0.0

    def __call__(self, row: bytes, word: str) -> bytes:
        if self.dtype == "float32":
            return row
        rounded = as_float16(row, f"the vector of {word!r}")
        exact, kept = np.frombuffer(row, ROW_TYPE), np.frombuffer(rounded, "<f2")
        self.largest = max(self.largest, float(np.abs(exact - kept).max()))
        return rounded


def dump_embeddings(
    source: str | Path,
    out: str | Path,
    *,
    word_index: str | Path | None = None,
    architecture: str | Path | None = None,
    num_words: int | None = None,
    name: str = "embedding",
    dtype: str = "float32",
    member: str | None = None,
    accept_unusual: bool = False,
    say: Say = print,
) -> Dump:
    """Write the dump of one embedding below `out`, as `word_embeddings/<collection>.bson`.

    Args:
        source: Keras model (`.h5`, `.keras`), GloVe or word2vec vectors, or the article's own dump
            (its `.bson` or the directory).
        out: directory of the dump.
        word_index: the tokenizer's word index: exactly its words are stored, with its indices; a
            word without a vector gets zeros, as in the article's training. Required for a Keras
            model; otherwise the default is all words of the source, numbered from 1.
        architecture: JSON of `model.to_json()`, for an `.h5` with weights only.
        num_words: as given to Keras' Tokenizer.
        name: start of the collection's name, [a-z0-9_].
        dtype: `float32`, or `float16` for half the size.
        member: name of the file in a zip.
        accept_unusual: only warn of what `plausibility` finds.
        say: takes one line of output at a time.

    Raises:
        BuildError: with one line for the user; nothing incomplete is left behind.
    """
    source, out = Path(source), Path(out)
    settings = make_settings(
        "options", {"embedding_name": name, "dtype": dtype, "num_words": num_words}
    )
    rounding, unusual = _Rounding(dtype), Unusual(accept_unusual, say)
    try:
        if source.is_dir():
            source = _only_bson(source)
        words = Path(word_index) if word_index is not None else None
        for path, option in ((source, "--source"), (words, "--word-index")):
            if path is not None:
                check_input(path, option)
        given = {"--num-words": num_words, "--member": member, "--architecture": architecture}
        _refuse_unused(source, words, given)
        with replacing(out, DATABASE) as work:
            if not _is_model(source):
                dump = _dump_file(source, work, words, settings, member, rounding, unusual)
            elif words is None:
                raise BuildError(
                    f"{source}: a Keras model contains no words: name the tokenizer's word index "
                    "with --word-index"
                )
            else:
                layers = Path(architecture) if architecture else None
                dump = _dump_model(source, layers, work, words, settings, rounding, unusual)
    except OSError as error:
        raise from_os_error(error, out) from error
    say(f"{dump.count} words, {megabytes(dump.bytes)}: {out / DATABASE / dump.collection}.bson")
    if dtype == "float16":
        say(f"float16 changes a number by at most {rounding.largest:.1e}")
    return dump


def _refuse_unused(source: Path, words: Path | None, given: Mapping[str, Any]) -> None:
    """Refuse an option that this source has no use for."""
    with source.open("rb") as file:
        start = file.read(len(_HDF5))
    for option, useful, why in (
        ("--num-words", words is not None, "needs --word-index: give both"),
        (
            "--member",
            start.startswith(ZIP) and source.suffix != ".keras",
            "is of a .zip: name one with --source",
        ),
        ("--architecture", start == _HDF5, "is of an .h5: name one with --source"),
    ):
        if given[option] is not None and not useful:
            raise BuildError(f"{source}: {option} {why}, or leave it out")


def _is_model(source: Path) -> bool:
    if source.suffix == ".keras":
        return True
    with source.open("rb") as file:
        return file.read(len(_HDF5)) == _HDF5


def _only_bson(directory: Path) -> Path:
    found = sorted(directory.rglob("*.bson"))
    if len(found) != 1:
        raise BuildError(
            f"{directory}: contains {len(found)} .bson files: name one of them with --source"
        )
    return found[0]


def _dump_model(
    source: Path,
    architecture: Path | None,
    work: Path,
    word_index: Path,
    settings: Settings,
    rounding: _Rounding,
    unusual: Unusual,
) -> Dump:
    index = read_word_index(word_index)
    check_words(index, _rules(index, settings, word_index), str(word_index), unusual)
    with open_model(source, architecture) as model:
        with as_keras_writes(source):
            matrix = _matrix(model)
        words = vocabulary(index, settings.tokenizer(), matrix.shape[0])
        check_indices(index, settings.tokenizer(), matrix.shape[0], unusual)
        del index  # the largest object in memory
        with open_rows(matrix, source, work, model.offset) as rows:
            check_rows(words, rows, unusual)
            documents = ((word, number, rows[number]) for word, number in words)
            dimension = matrix.shape[1]
            return _write(work, settings, len(words), dimension, documents, rounding, unusual.say)


def _rules(index: WordIndex, settings: Settings, where: Path | None) -> TokenizerRules:
    """The tokenizer of a word index, as far as its file states it."""
    return make_settings(str(where), index.settings, {"num_words": settings.num_words}).tokenizer()


def _matrix(model: KerasModel) -> DataSet:
    layers = [layer for layer in model.network.leaves() if layer.class_name == "Embedding"]
    if len(layers) != 1:
        raise BuildError(
            f"{model.path}: has {len(layers)} Embedding layers; only models with one are supported"
        )
    shape = (layers[0].config["input_dim"], layers[0].config["output_dim"])
    return model.dataset(layers[0], "embeddings", shape)


def _dump_file(
    source: Path,
    work: Path,
    word_index: Path | None,
    settings: Settings,
    member: str | None,
    rounding: _Rounding,
    unusual: Unusual,
) -> Dump:
    say = unusual.say
    index = read_word_index(word_index) if word_index is not None else None

    def finished(missing: int) -> None:
        say(f"{missing} of {len(chosen)} words of the index have no vector and get zeros")
        check_found(missing, chosen, unusual)

    articles = source.suffix == ".bson"
    read = read_articles_dump if articles else read_vectors
    with scratch_file(work) as scratch:
        with (
            open_vectors(source, member) as (stream, position),
            step_progress("reading, MB", source.stat().st_size // 10**6, say) as step,
        ):
            found = collect(read(stream, source), source, scratch, position, step)
        if articles:
            say(f"{source}: the article's dump; its indices, counted from 0, are raised by 1")
        if index is None:
            count, documents = len(found), found.documents()
        else:
            check_words(index, _rules(index, settings, word_index), str(word_index), unusual)
            limit = settings.num_words or _LARGEST_INDEX
            chosen = vocabulary(index, settings.tokenizer(), limit)
            del index
            count, documents = len(chosen), found.joined(chosen, finished)
        dimension = found.rows.size // ROW_TYPE.itemsize
        return _write(work, settings, count, dimension, documents, rounding, say)


def _write(
    work: Path,
    settings: Settings,
    count: int,
    dimension: int,
    documents: Iterable[tuple[str, int, bytes]],
    rounding: _Rounding,
    say: Say,
) -> Dump:
    check_space(work, count, dimension * NUMBER_BYTES[rounding.dtype])
    with step_progress("word vectors", count, say) as step:
        rounded = ((word, number, rounding(row, word)) for word, number, row in documents)
        return write_dump(work, settings.embedding_name, rounded, step)
