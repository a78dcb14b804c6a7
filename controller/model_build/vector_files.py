"""Read word vectors in the forms that they are handed around in, one word at a time.

GloVe text (`word number number ...`), word2vec text (the same below a line `count dimension`),
word2vec binary (`.bin`), each plain, gzipped or in a zip; and a mongodump of the article's own
script (`{word, index, vector: [text, ...]}`). A row comes out as little-endian float32 and a
number counted from 1: the place in the file, since 0 is the padding.
Sources: GloVe's README; word2vec's `word2vec.c`, which writes `word`, a blank, the numbers' bytes
and a line feed.
"""

from __future__ import annotations

import gzip
import sys
import warnings
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import BinaryIO, NamedTuple

import bson
import numpy as np
from bson.errors import BSONError

from controller.model_build.errors import BuildError

ROW_TYPE = np.dtype("<f4")
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_CHUNK = 1 << 20
_LONGEST_WORD = 1024
# A file from this size on is worth processes of its own; `_PROCESSES` more than this one.
_LARGE = 64 * 1024 * 1024
_PROCESSES = 2


class WordVector(NamedTuple):
    """A word (UTF-8), its number from 1, its row in little-endian float32."""

    word: bytes
    number: int
    row: bytes


Places = Callable[[], int]


@contextmanager
def open_vectors(path: Path, member: str | None = None) -> Iterator[tuple[BinaryIO, Places]]:
    """The unpacked stream of a file of vectors, and how many bytes of the file were read so far.

    Args:
        member: which file of a zip, if it holds several.

    Raises:
        BuildError: no such file, not unpackable, or several files in a zip and no `member`.
    """
    try:
        with path.open("rb") as raw:
            start = raw.read(4)
            raw.seek(0)
            if start == _ZIP:
                with (
                    zipfile.ZipFile(raw) as archive,
                    archive.open(_member(path, archive, member)) as f,
                ):
                    yield f, raw.tell
            elif start[:2] == _GZIP:
                with gzip.open(raw) as file:
                    yield file, raw.tell
            else:
                yield raw, raw.tell
    except FileNotFoundError as error:
        raise BuildError(f"{path}: no such file: name the vectors with --source") from error
    except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile) as error:
        reason = " ".join(str(error).split())
        raise BuildError(f"{path}: cannot be unpacked ({reason}): copy the file again") from error


def _member(path: Path, archive: zipfile.ZipFile, member: str | None) -> str:
    names = [info.filename for info in archive.infolist() if not info.is_dir()]
    if member is None and len(names) == 1:
        return names[0]
    if member is None or member not in names:
        raise BuildError(f"{path}: holds {', '.join(names)}: name one of them with --member")
    return member


def read_vectors(stream: BinaryIO, path: Path) -> Iterator[WordVector]:
    """Words of GloVe or word2vec text, or of word2vec binary (told by the name `.bin`).

    Raises:
        BuildError: a line or record that is none, numbers that are not finite.
    """
    names = path.name.lower().removesuffix(".gz")
    large = path.stat().st_size >= _LARGE
    rows = _binary(stream) if names.endswith(".bin") else _text(stream, large)
    done = 0
    try:
        for word, row in rows:
            done += 1
            yield WordVector(word, done, row)
    except (ValueError, DeprecationWarning) as error:
        raise BuildError(
            f"{path}: word {done + 1} cannot be read ({error}): wanted GloVe or word2vec text, "
            "or word2vec's .bin"
        ) from error
    if not done:
        raise BuildError(f"{path}: holds no word vectors")


def _check(word: bytes, row: np.ndarray) -> None:
    if not word or b"\0" in word:
        raise ValueError("it is empty")
    word.decode("utf-8")
    if not np.isfinite(row).all():
        raise ValueError("it holds NaN or infinity")


def _text(stream: BinaryIO, large: bool) -> Iterator[tuple[bytes, bytes]]:
    first = stream.readline(_CHUNK)
    if not first.strip():
        return
    parts, block = first.split(), []
    if len(parts) == 2 and all(part.isdigit() for part in parts):
        declared, dimension = int(parts[0]), int(parts[1])
    else:
        declared, block, dimension = None, [first], len(_line(first, None)[1])
    count, size = 0, dimension * ROW_TYPE.itemsize
    for words, rows, problem in _parsed(_blocks(stream, block), dimension, large):
        for number, word in enumerate(words):
            yield word, rows[number * size : (number + 1) * size]
        count += len(words)
        if problem is not None:
            raise ValueError(problem)
    if declared is not None and count != declared:
        raise ValueError(f"the file ends after {count} words, its first line says {declared}")


Block = list[bytes]
Parsed = tuple[list[bytes], bytes, str | None]


def _blocks(stream: BinaryIO, first: Block) -> Iterator[Block]:
    while lines := first + stream.readlines(_CHUNK):
        first = []
        yield lines


def _parsed(blocks: Iterator[Block], dimension: int, large: bool) -> Iterator[Parsed]:
    """The blocks in order; those of a large file are read by two processes at a time.

    Numbers as text take 70 ns each, 120 million of them longer than everything else together.
    """
    parse = partial(_parse, dimension=dimension)
    if not large or sys.platform != "linux":
        yield from map(parse, blocks)
        return
    with ProcessPoolExecutor(_PROCESSES, get_context("fork")) as pool:
        waiting = deque(pool.submit(parse, block) for block in islice(blocks, 2 * _PROCESSES))
        while waiting:
            parsed = waiting.popleft().result()
            waiting.extend(pool.submit(parse, block) for block in islice(blocks, 1))
            yield parsed


def _parse(lines: Block, dimension: int) -> Parsed:
    """Words and rows of some lines up to the first that cannot be read, and what is wrong there."""
    words, rows, problem = [], [], None
    with warnings.catch_warnings():
        # numpy only warns of text behind the numbers, and will raise one day.
        warnings.simplefilter("error", DeprecationWarning)
        for line in lines:
            try:
                word, row = _line(line, dimension)
                _check(word, row)
            except (ValueError, DeprecationWarning) as error:
                problem = str(error)
                break
            words.append(word)
            rows.append(row.tobytes())
    return words, b"".join(rows), problem


def _line(line: bytes, dimension: int | None) -> tuple[bytes, np.ndarray]:
    word, _, rest = line.partition(b" ")
    with warnings.catch_warnings() if dimension is None else nullcontext():
        if dimension is None:
            warnings.simplefilter("error", DeprecationWarning)
        try:
            row = np.fromstring(rest, ROW_TYPE, sep=" ")
            if len(row) and dimension in (None, len(row)):
                return word, row
        except (ValueError, DeprecationWarning):
            row = np.empty(0, ROW_TYPE)
    if dimension is None:
        raise ValueError("its line is no word and numbers")
    # GloVe's largest file has words with a blank inside.
    parts = line.rstrip().rsplit(b" ", dimension)
    if len(parts) != dimension + 1:
        raise ValueError(f"it has {len(row)} numbers, the ones before it {dimension}")
    return parts[0], np.array(parts[1:], np.float64).astype(ROW_TYPE)


def _binary(stream: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    header = stream.readline(_CHUNK).split()
    if len(header) != 2 or not all(part.isdigit() for part in header):
        raise ValueError("the first line is not `count dimension`")
    count, size = int(header[0]), int(header[1]) * ROW_TYPE.itemsize
    buffer, at = b"", 0
    for _ in range(count):
        while (end := buffer.find(b" ", at)) < 0 or len(buffer) < end + 1 + size:
            if end < 0 and len(buffer) - at > _LONGEST_WORD:
                raise ValueError("no blank after a word")
            more = stream.read(max(_CHUNK, size))
            if not more:
                raise ValueError("the file is cut off")
            buffer, at = buffer[at:] + more, 0
        word = buffer[at:end].lstrip(b"\n")
        _check(word, np.frombuffer(buffer, ROW_TYPE, size // ROW_TYPE.itemsize, end + 1))
        yield word, buffer[end + 1 : end + 1 + size]
        at = end + 1 + size


def read_articles_dump(stream: BinaryIO, path: Path) -> Iterator[WordVector]:
    """Documents of the article's script: vectors as lists of texts, indices counted from 0.

    Raises:
        BuildError: not BSON, or documents of another form.
    """
    seen = 0
    try:
        for document in bson.decode_file_iter(stream):
            word, index, vector = (document[key] for key in ("word", "index", "vector"))
            row = np.array([float(number) for number in vector], ROW_TYPE)
            _check(word.encode("utf-8"), row)
            if not isinstance(index, int) or index < 0:
                raise ValueError(f"its index is {index!r}")
            seen += 1
            yield WordVector(word.encode("utf-8"), index + 1, row.tobytes())
    except KeyError as error:
        raise BuildError(
            f"{path}: document {seen + 1} has no {error}: wanted the article's word, index, vector"
        ) from error
    except (BSONError, ValueError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise BuildError(f"{path}: document {seen + 1} cannot be read ({reason})") from error
    if not seen:
        raise BuildError(f"{path}: holds no documents")
