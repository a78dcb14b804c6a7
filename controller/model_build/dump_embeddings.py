"""`fab dump-embeddings`: word vectors of any source as a directory that mongorestore takes.

The rows go through one scratch file on the disk, since the source has them in its own order and
the dump in that of the words. Memory holds the words alone.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np

from controller.model_build.dump import DATABASE, Dump, check_room, write_dump
from controller.model_build.embedding import (
    ROW_TYPE,
    Rows,
    Vocabulary,
    as_float16,
    open_rows,
    scratch_file,
    vocabulary,
)
from controller.model_build.errors import BuildError
from controller.model_build.keras_file import KerasModel, open_model
from controller.model_build.place import replacing
from controller.model_build.settings import make_settings
from controller.model_build.vector_files import (
    WordVector,
    open_vectors,
    read_articles_dump,
    read_vectors,
)
from controller.model_build.word_index import WordIndex, read_word_index
from controller.progress import megabytes, step_progress

Say = Callable[[str], None]
_HDF5 = b"\x89HDF\r\n\x1a\n"


@dataclass
class _Rounding:
    """Rows on their way into the dump; keeps what rounding to float16 changed most."""

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
    say: Say = print,
) -> Dump:
    """Write the dump of one embedding below `out`, as `word_embeddings/<collection>.bson`.

    Args:
        source: Keras model (`.h5`, `.keras`), GloVe or word2vec vectors, or the `.bson` (or the
            directory) of the article's own dump.
        word_index: of the tokenizer: its indices are stored, its words alone are, and a word
            without a vector gets zeros, as in the article's training. Needed for a Keras model;
            without it the place in the source counts, from 1.
        architecture: JSON of `model.to_json()`, for an `.h5` of weights alone.
        name: begins the collection's name, [a-z0-9_].
        dtype: `float32`, or `float16` (half the size; the largest difference is said).
        member: which file of a zip.
        say: takes one line at a time of what is going on.

    Raises:
        BuildError: with one line for the user; nothing half-written is left.
    """
    source, out = Path(source), Path(out)
    settings = make_settings(
        "options", {"embedding_name": name, "dtype": dtype, "num_words": num_words}
    )
    rounding = _Rounding(dtype)
    try:
        index = read_word_index(Path(word_index)) if word_index is not None else None
        if source.is_dir():
            source = _only_bson(source)
        with replacing(out, DATABASE) as work:
            if _is_model(source):
                if index is None:
                    raise BuildError(f"{source}: a model has no words: give --word-index")
                rules = settings.tokenizer()
                with open_model(source, Path(architecture) if architecture else None) as model:
                    matrix = _matrix(model)
                    words = vocabulary(index, rules, matrix.shape[0])
                    del index
                    with open_rows(matrix, source, work, model.offset) as rows:
                        documents = ((word, number, rows[number]) for word, number in words)
                        row_bytes = matrix.shape[1] * rounding_bytes(dtype)
                        dump = _write(work, name, len(words), row_bytes, documents, rounding, say)
            else:
                dump = _from_vectors(source, work, index, num_words, name, member, rounding, say)
    except OSError as error:
        reason = " ".join((error.strerror or str(error)).split())
        raise BuildError(f"{error.filename or out}: {reason}: nothing was changed") from error
    say(f"{dump.count} words, {megabytes(dump.bytes)}: {out / DATABASE / dump.collection}.bson")
    if dtype == "float16":
        say(f"float16 changes a number by at most {rounding.largest:.1e}")
    return dump


def rounding_bytes(dtype: str) -> int:
    """Bytes of a stored number."""
    return {"float32": 4, "float16": 2}[dtype]


def _is_model(source: Path) -> bool:
    if source.suffix == ".keras":
        return True
    with source.open("rb") as file:
        return file.read(len(_HDF5)) == _HDF5


def _matrix(model: KerasModel) -> h5py.Dataset:
    layers = [layer for layer in model.network.leaves() if layer.class_name == "Embedding"]
    if len(layers) != 1:
        raise BuildError(f"{model.path}: has {len(layers)} Embeddings, one is dumped")
    shape = (layers[0].config["input_dim"], layers[0].config["output_dim"])
    return model.dataset(layers[0], "embeddings", shape)


def _only_bson(directory: Path) -> Path:
    found = sorted(directory.rglob("*.bson"))
    if len(found) != 1:
        raise BuildError(f"{directory}: holds {len(found)} .bson files: name one with --source")
    return found[0]


def _from_vectors(
    source: Path,
    work: Path,
    index: WordIndex | None,
    num_words: int | None,
    name: str,
    member: str | None,
    rounding: _Rounding,
    say: Say,
) -> Dump:
    articles = source.suffix == ".bson"
    read = read_articles_dump if articles else read_vectors
    with scratch_file(work) as scratch:
        with (
            open_vectors(source, member) as (stream, place),
            step_progress("reading, MB", source.stat().st_size // 10**6, say) as step,
        ):
            found = _collect(read(stream, source), source, scratch, place, step)
        if articles:
            say(f"{source}: the article's dump; its indices count from 0, here from 1")
        scratch.flush()
        rows = Rows(scratch.fileno(), 0, found.dimension, str(source))
        order = np.argsort(found.words, kind="stable")
        _refuse_twice(source, found.words, order)
        words = found.words[order]
        places, numbers = order, found.numbers[order]
        del found, order
        row_bytes = rows.size // 4 * rounding_bytes(rounding.dtype)
        if index is None:
            count = len(words)
            documents = (
                (word.decode("utf-8"), int(number), rows[int(place)])
                for word, number, place in zip(words, numbers, places, strict=True)
            )
        else:
            limit = num_words or 2**31
            chosen = vocabulary(
                index, make_settings("", {"num_words": num_words}).tokenizer(), limit
            )
            count = len(chosen)
            documents = _joined(chosen, words, places, rows, say)
        return _write(work, name, count, row_bytes, documents, rounding, say)


@dataclass(frozen=True)
class _Found:
    words: np.ndarray
    numbers: np.ndarray
    dimension: int


def _collect(
    vectors: Iterable[WordVector],
    source: Path,
    scratch: BinaryIO,
    place: Callable[[], int],
    step: Callable[[int], None],
) -> _Found:
    words: list[bytes] = []
    numbers = array("q")
    size = 0
    for word, number, row in vectors:
        size = size or len(row)
        if len(row) != size:
            raise BuildError(
                f"{source}: the vector of {word.decode()!r} has {len(row) // 4} numbers, "
                f"the ones before it {size // 4}"
            )
        words.append(word)
        numbers.append(number)
        scratch.write(row)
        if len(words) % 2048 == 0:
            step(place() // 10**6)
    return _Found(np.array(words, object), np.frombuffer(numbers, np.int64), size // 4)


def _refuse_twice(source: Path, words: np.ndarray, order: np.ndarray) -> None:
    for one, other in itertools.pairwise(order):
        if words[one] == words[other]:
            raise BuildError(
                f"{source}: the word {words[one].decode()!r} occurs twice, as number {one + 1} and "
                f"{other + 1}: take one of them out"
            )


def _joined(
    chosen: Vocabulary, words: np.ndarray, places: np.ndarray, rows: Rows, say: Say
) -> Iterator[tuple[str, int, bytes]]:
    """The tokenizer's words with their vectors, or zeros; both sides are sorted."""
    zeros, missing, at = bytes(rows.size), 0, 0
    for word, number in chosen:
        key = word.encode("utf-8")
        while at < len(words) and words[at] < key:
            at += 1
        if at < len(words) and words[at] == key:
            yield word, number, rows[int(places[at])]
        else:
            missing += 1
            yield word, number, zeros
    say(f"{missing} of {len(chosen)} words of the index have no vector and got zeros")


def _write(
    work: Path,
    name: str,
    count: int,
    row_bytes: int,
    documents: Iterable[tuple[str, int, bytes]],
    rounding: _Rounding,
    say: Say,
) -> Dump:
    check_room(work, count, row_bytes)
    with step_progress("word vectors", count, say) as step:
        rounded = ((word, number, rounding(row, word)) for word, number, row in documents)
        return write_dump(work, name, rounded, step)
