"""Give a model every word of a vector file: the article's set-up at its full size.

    python -m sample_model.full --vectors glove.6B.100d.txt --out build/model-full

The network stays as it is. Its embedding gets a row for each word of the file that has none yet, as
the file has it, so that words which no comment of the training had are known as well. The file's
rows are copied some thousand at a time: only the model's own matrix is in memory.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from controller.model_build.errors import BuildError
from controller.model_build.vector_files import open_vectors, read_vectors
from controller.model_build.vector_text import ROW_TYPE

HERE = Path(__file__).resolve().parent
MODEL, WORD_INDEX, SETTINGS = "toxic_comment_detector.h5", "word_index.json", "build_settings.json"
REFERENCE = "reference.json"
NAME = "sample-full"
EMBEDDING_NAME = "sample_full"
_BLOCK = 4096

Say = Callable[[str], None]


def enlarge(source: Path, vectors: Path, member: str | None, out: Path, say: Say) -> int:
    """Write the model in `source` with the words of `vectors` added into `out`.

    Args:
        source: directory with the four files of the sample model.
        vectors: GloVe or word2vec, as `fab dump-embeddings` reads them.
        member: the file to read from a .zip that holds several.
        out: directory of the new files; an older result is replaced once the new one is complete.

    Returns:
        Number of words.

    Raises:
        BuildError: vectors of another dimension, or a file that cannot be read.
    """
    index: dict[str, int] = json.loads((source / WORD_INDEX).read_text(encoding="utf-8"))
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    shutil.copyfile(source / MODEL, part / MODEL)
    with h5py.File(part / MODEL, "r+") as file:
        place = path_of_embedding(file)
        own = np.asarray(file[place], ROW_TYPE)
        attributes = dict(file[place].attrs)
        del file[place]
        matrix = file.create_dataset(
            place, own.shape, ROW_TYPE, chunks=(_BLOCK, own.shape[1]), maxshape=(None, own.shape[1])
        )
        matrix.attrs.update(attributes)
        matrix[:] = own
        count = max(len(own), max(index.values()) + 1)
        for words, rows in _blocks(vectors, member, index, own.shape[1]):
            matrix.resize(count + len(rows), axis=0)
            matrix[count:] = rows
            index.update(zip(words, range(count, count + len(words)), strict=True))
            count += len(words)
            say(f"{len(index):,} words")
        _set_rows(file, count, len(own))
    settings: dict[str, Any] = json.loads((source / SETTINGS).read_text(encoding="utf-8"))
    settings.update(name=NAME, embedding_name=EMBEDDING_NAME, num_words=count)
    _write(part / SETTINGS, settings)
    _write(part / WORD_INDEX, index)
    shutil.copyfile(source / REFERENCE, part / REFERENCE)
    shutil.rmtree(out, ignore_errors=True)
    part.rename(out)
    return len(index)


def _blocks(
    vectors: Path, member: str | None, known: dict[str, int], dimension: int
) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
    """Words that are not known yet, and their rows, some thousand at a time."""
    words: dict[str, bytes] = {}
    with open_vectors(vectors, member) as (stream, _):
        for entry in read_vectors(stream, vectors):
            if len(entry.row) != dimension * ROW_TYPE.itemsize:
                raise BuildError(
                    f"{vectors}: its vectors have {len(entry.row) // ROW_TYPE.itemsize} numbers, "
                    f"the model takes {dimension}: give a file of {dimension} dimensions with "
                    "--vectors"
                )
            word = entry.word.decode("utf-8")
            if word not in known:
                words[word] = entry.row
            if len(words) == _BLOCK:
                yield _block(words, dimension)
                words = {}
    if words:
        yield _block(words, dimension)


def _block(words: dict[str, bytes], dimension: int) -> tuple[list[str], NDArray[np.float32]]:
    rows = np.frombuffer(b"".join(words.values()), ROW_TYPE).reshape(-1, dimension)
    return list(words), rows


def path_of_embedding(file: h5py.File) -> str:
    """The path of the embedding's matrix in a file of Keras."""
    found: list[str] = []

    def visit(name: str, entry: object) -> None:
        if isinstance(entry, h5py.Dataset) and name.rsplit("/", 1)[-1].startswith("embeddings"):
            found.append(name)

    file.visititems(visit)
    if len(found) != 1:
        raise BuildError(f"{file.filename}: it has {len(found)} embeddings, expected one")
    return found[0]


def _set_rows(file: h5py.File, count: int, before: int) -> None:
    """Write the number of rows into the architecture."""
    config = json.loads(file.attrs["model_config"])
    changed = 0
    for layer in config["config"]["layers"]:
        if layer["class_name"] == "Embedding" and layer["config"]["input_dim"] == before:
            layer["config"]["input_dim"] = count
            changed += 1
    if changed != 1:
        raise BuildError(f"{file.filename}: its architecture has no embedding of {before} rows")
    file.attrs["model_config"] = json.dumps(config)


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files; 0, or 1 for an error, which is on standard error."""
    parser = argparse.ArgumentParser(prog="python -m sample_model.full", description=__doc__)
    parser.add_argument("--vectors", type=Path, required=True, help="such as glove.6B.100d.txt")
    parser.add_argument("--member", help="the file to read from a .zip that holds several")
    parser.add_argument("--out", type=Path, required=True, help="directory that is written")
    options = parser.parse_args(arguments)

    def say(line: str) -> None:
        print(f"\r{line}", end="", flush=True)

    try:
        words = enlarge(HERE, options.vectors, options.member, options.out, say)
    except (BuildError, OSError) as error:
        print(f"\nmodel-full: {error}", file=sys.stderr)
        return 1
    print(f"\r{options.out}: {words:,} words")
    return 0


if __name__ == "__main__":
    sys.exit(main())
