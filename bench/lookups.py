"""The three ways to look up word vectors that `bench/embeddings` compares.

Each step is a function of a `Run` and returns its measurements by name: seconds, bytes, and memory
in MB.
"""

from __future__ import annotations

import json
import os
import random
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bson
import numpy as np
from numpy.typing import NDArray
from pymongo import MongoClient
from pymongo.collection import Collection

from controller.model_build.dump import DATABASE, Dump, write_dump
from tox_com_det.model.manifest import Embedding
from tox_com_det.model.tokenizer import TokenizerRules
from tox_com_det.store.database import EmbeddingDatabase
from tox_com_det.store.restore import restore
from tox_com_det.store.vectors import Vectors

ARTICLE = "article_posts"
LOOKED_UP = 40
_BLOCK = 4096

Measured = dict[str, Any]
Document = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """What to measure, and where.

    Attributes:
        work: directory for files.
        uri: of the database.
        words: number of words.
        dimension: numbers of a vector.
        slice: number of words for the article's way.
    """

    work: Path
    uri: str
    words: int
    dimension: int
    slice: int

    @property
    def part(self) -> int:
        """Number of words for the article's way, at most all."""
        return min(self.slice, self.words)

    def rows(self) -> Iterator[NDArray[np.float32]]:
        """Random vectors, the same in every process."""
        numbers = np.random.default_rng(0)
        for start in range(0, self.words, _BLOCK):
            block = numbers.normal(0.0, 0.4, (min(_BLOCK, self.words - start), self.dimension))
            yield from block.astype("<f4")


def words_of(count: int) -> list[str]:
    """Words in ascending order."""
    return [f"word{number:07}" for number in range(1, count + 1)]


def sample_of(count: int) -> list[str]:
    """The words to look up, the same in every process."""
    return random.Random(7).sample(words_of(count), min(LOOKED_UP, count))  # noqa: S311 (a sample, not a secret)


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that an action took, and its result."""
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def resident() -> float:
    """Memory of this process, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def drop_from_cache(path: Path) -> None:
    """Ask the kernel to drop a file from its cache, so that the next reader reads the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def article_build(run: Run) -> Measured:
    """One `insert_one` per word, vectors as lists of texts, no index on `word`; on a slice."""
    client: MongoClient[Document]
    with MongoClient(run.uri) as client:
        posts: Collection[Document] = client[DATABASE][ARTICLE]
        posts.drop()

        def insert() -> None:
            pairs = zip(words_of(run.part), run.rows(), strict=False)
            for index, (word, row) in enumerate(pairs):
                posts.insert_one({"word": word, "index": index, "vector": list(map(str, row))})

        seconds, _ = timed(insert)
        sample = list(posts.find().limit(100))
    size = sum(len(bson.encode(one)) for one in sample) / len(sample) * run.words
    return {"build": seconds * run.words / run.part, "bytes": size, "load": None}


def article_look_up(run: Run) -> Measured:
    """One `find_one` per word without an index: a scan, which takes longer the more words."""
    words = sample_of(run.part)
    before = resident()
    client: MongoClient[Document]
    with MongoClient(run.uri) as client:
        posts: Collection[Document] = client[DATABASE][ARTICLE]

        def vector(word: str) -> NDArray[np.float32]:
            found = posts.find_one({"word": word})
            if found is None:
                raise SystemExit(f"{word} is missing in the database")
            return np.array(list(map(float, found["vector"])), "<f4")

        cold, _ = timed(lambda: [vector(word) for word in words])
        warm, _ = timed(lambda: [vector(word) for word in words])
    scale = run.words / run.part
    return {"cold": cold * scale, "warm": warm * scale, "memory": resident() - before}


def project_build(run: Run) -> Measured:
    """The dump of `build-model`."""

    def build() -> Dump:
        pairs = zip(words_of(run.words), run.rows(), strict=True)
        numbered = enumerate(pairs, start=1)
        documents = ((word, index, row.tobytes()) for index, (word, row) in numbered)
        return write_dump(run.work / "dump", "bench", documents)

    seconds, dump = timed(build)
    embedding = {
        "database": DATABASE,
        "collection": dump.collection,
        "count": dump.count,
        "dimension": run.dimension,
        "dtype": "float32",
        "checksum": dump.checksum,
    }
    (run.work / "embedding.json").write_text(json.dumps(embedding))
    return {"build": seconds, "bytes": dump.bytes}


def _embedding(run: Run) -> Embedding:
    data = json.loads((run.work / "embedding.json").read_text())
    return Embedding(**data, special_rows={})


def project_load(run: Run) -> Measured:
    """The restore of a server, with its check."""
    client: MongoClient[Document]
    with MongoClient(run.uri) as client:
        seconds, _ = timed(
            lambda: restore(
                client, run.uri, run.work / "dump", _embedding(run), "auto", lambda line: None
            )
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"load": seconds, "load_memory": peak}


def project_look_up(run: Run) -> Measured:
    """The lookup of a server: one query for all words, by `_id`."""
    words, embedding = sample_of(run.words), _embedding(run)
    before = resident()
    vectors = Vectors(EmbeddingDatabase(run.uri, 60_000, embedding), TokenizerRules(), 20_000)
    cold, found = timed(lambda: vectors.lookup(words))
    warm, _ = timed(lambda: vectors.lookup_uncached(words))
    cached, _ = timed(lambda: vectors.lookup(words))
    memory = resident() - before
    if len(found) != len(words):
        raise SystemExit("words are missing in the database")
    pairs = zip(words_of(run.words), run.rows(), strict=True)
    exact = all(found.get(word, row.tobytes()) == row.tobytes() for word, row in pairs)
    return {"cold": cold, "warm": warm, "cached": cached, "memory": memory, "exact": exact}


def mapped_build(run: Run) -> Measured:
    """A matrix in a file, and the words in another."""

    def build() -> None:
        matrix = np.lib.format.open_memmap(
            run.work / "m.npy", "w+", np.dtype("<f4"), (run.words, run.dimension)
        )
        for number, row in enumerate(run.rows()):
            matrix[number] = row
        matrix.flush()
        (run.work / "words.txt").write_text("\n".join(words_of(run.words)))

    seconds, _ = timed(build)
    size = sum((run.work / name).stat().st_size for name in ("m.npy", "words.txt"))
    return {"build": seconds, "bytes": size}


def mapped_look_up(run: Run) -> Measured:
    """Rows of the memory-mapped matrix, by a dictionary of the words."""
    wanted = sample_of(run.words)
    drop_from_cache(run.work / "m.npy")
    before = resident()

    def load() -> tuple[NDArray[np.float32], dict[str, int]]:
        words = (run.work / "words.txt").read_text().split("\n")
        places = {word: number for number, word in enumerate(words)}
        return np.load(run.work / "m.npy", mmap_mode="r"), places

    seconds, (matrix, places) = timed(load)
    cold, _ = timed(lambda: np.stack([matrix[places[word]] for word in wanted]))
    warm, _ = timed(lambda: np.stack([matrix[places[word]] for word in wanted]))
    return {"load": seconds, "cold": cold, "warm": warm, "memory": resident() - before}


WAYS: dict[str, tuple[Callable[[Run], Measured], ...]] = {
    "article": (article_build, article_look_up),
    "project": (project_build, project_load, project_look_up),
    "mapped": (mapped_build, mapped_look_up),
}
