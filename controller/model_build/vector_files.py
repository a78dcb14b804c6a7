"""Read word vectors in their usual file formats, one word at a time.

GloVe and word2vec text, word2vec binary (`.bin`), each plain, gzipped or in a zip; and a mongodump
of the article's own script (`{word, index, vector: [text, ...]}`). A row is returned as
little-endian float32 with a number counted from 1: its place in the file, because 0 is the padding.
Sources: GloVe's README; word2vec's `word2vec.c`, which writes `word`, a space, the numbers' bytes
and a line feed.
"""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import numpy as np

from controller.model_build.errors import BuildError, one_line
from controller.model_build.vector_text import ROW_TYPE, check_row, read_text

_GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"
_CHUNK = 1 << 20
_LONGEST_WORD = 1024
# A file from this size on is parsed by several processes.
_LARGE = 64 * 1024 * 1024


class WordVector(NamedTuple):
    """A word (UTF-8), its number from 1, its row in little-endian float32."""

    word: bytes
    number: int
    row: bytes


Position = Callable[[], int]


@contextmanager
def open_vectors(path: Path, member: str | None = None) -> Iterator[tuple[BinaryIO, Position]]:
    """The unpacked stream of a file of vectors, and how many bytes of the file were read so far.

    Args:
        member: name of the file in a zip, if it contains several.

    Raises:
        BuildError: no such file, not unpackable, or several files in a zip and no `member`,
            or a `member` of a file that is no zip.
    """
    try:
        with path.open("rb") as raw:
            start = raw.read(4)
            raw.seek(0)
            if start == ZIP:
                with (
                    zipfile.ZipFile(raw) as archive,
                    archive.open(_member(path, archive, member)) as file,
                ):
                    yield cast(BinaryIO, file), raw.tell
            elif member is not None:
                raise BuildError(
                    f"{path}: --member is of a .zip: name one with --source, or leave it out"
                )
            elif start[:2] == _GZIP:
                with gzip.open(raw) as unpacked:
                    yield cast(BinaryIO, unpacked), raw.tell
            else:
                yield raw, raw.tell
    except FileNotFoundError as error:
        raise BuildError(f"{path}: no such file: name the vectors with --source") from error
    except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile) as error:
        raise BuildError(
            f"{path}: cannot be unpacked ({one_line(error)}): copy the file again"
        ) from error


def _member(path: Path, archive: zipfile.ZipFile, member: str | None) -> str:
    names = [info.filename for info in archive.infolist() if not info.is_dir()]
    if member is None and len(names) == 1:
        return names[0]
    if member is None or member not in names:
        raise BuildError(f"{path}: contains {', '.join(names)}: name one of them with --member")
    return member


def read_vectors(stream: BinaryIO, path: Path) -> Iterator[WordVector]:
    """Words of GloVe or word2vec text, or of word2vec binary (recognized by the name `.bin`).

    Args:
        stream: of `open_vectors`; in a zip, the name of the member counts.
        path: the file, for its size and in messages.

    Raises:
        BuildError: a line or record that cannot be read, or numbers that are not finite.
    """
    name = str(getattr(stream, "name", path)).lower().removesuffix(".gz")
    large = path.stat().st_size >= _LARGE
    rows = _read_binary(stream) if name.endswith(".bin") else read_text(stream, large)
    count = 0
    try:
        for word, row in rows:
            count += 1
            yield WordVector(word, count, row)
    except (ValueError, DeprecationWarning) as error:
        raise BuildError(
            f"{path}: word {count + 1} cannot be read ({error}): give vectors in the text format "
            "of GloVe or word2vec, or in word2vec's .bin format"
        ) from error
    if not count:
        raise BuildError(f"{path}: contains no word vectors: name another file with --source")


def _read_binary(stream: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    header = stream.readline(_CHUNK).split()
    if len(header) != 2 or not all(part.isdigit() for part in header):
        raise ValueError("the first line is not `count dimension`")
    count, size = int(header[0]), int(header[1]) * ROW_TYPE.itemsize
    buffer, at = b"", 0
    for _ in range(count):
        while (end := buffer.find(b" ", at)) < 0 or len(buffer) < end + 1 + size:
            if end < 0 and len(buffer) - at > _LONGEST_WORD:
                raise ValueError("no space after a word")
            more = stream.read(max(_CHUNK, size))
            if not more:
                raise ValueError("the file is cut off")
            buffer, at = buffer[at:] + more, 0
        word = buffer[at:end].lstrip(b"\n")
        check_row(word, np.frombuffer(buffer, ROW_TYPE, size // ROW_TYPE.itemsize, end + 1))
        yield word, buffer[end + 1 : end + 1 + size]
        at = end + 1 + size


def read_articles_dump(stream: BinaryIO, path: Path) -> Iterator[WordVector]:
    """Documents of the article's script: vectors as lists of texts, indices counted from 0.

    Raises:
        BuildError: not BSON, or documents of another form.
    """
    # Imported here: the environment in which models are trained has no PyMongo.
    import bson
    from bson.errors import BSONError

    count = 0
    try:
        for document in bson.decode_file_iter(stream):
            word, index, vector = (document[key] for key in ("word", "index", "vector"))
            row = np.array([float(number) for number in vector], ROW_TYPE)
            check_row(word.encode("utf-8"), row)
            if not isinstance(index, int) or index < 0:
                raise ValueError(f"its index is {index!r}")
            count += 1
            yield WordVector(word.encode("utf-8"), index + 1, row.tobytes())
    except KeyError as error:
        raise BuildError(
            f"{path}: document {count + 1} has no {error}: give the article's own dump, with "
            "documents of word, index and vector"
        ) from error
    except (BSONError, ValueError, TypeError, AttributeError) as error:
        raise BuildError(
            f"{path}: document {count + 1} cannot be read ({one_line(error)}): "
            "write the dump again with mongodump"
        ) from error
    if not count:
        raise BuildError(f"{path}: contains no documents: name another dump with --source")
