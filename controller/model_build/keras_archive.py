"""Read the parts of a `.keras` archive: a zip with configuration, metadata and an HDF5 file."""

from __future__ import annotations

import io
import re
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from controller.model_build.errors import BuildError, one_line

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SIGNATURE = b"PK\x03\x04"
CONFIG, METADATA = "config.json", "metadata.json"
_WEIGHTS = "model.weights.h5"
_MAX_CONFIG_BYTES = 256 * 1024 * 1024
# On Windows, parts of the name are joined with backslashes.
_VOCABULARY = re.compile(r"assets[/\\].*vocabulary\.txt", re.DOTALL)
# A member's own header in a zip: 26 bytes, then the lengths of its name and of its extra field.
_LOCAL_HEADER = "<26xHH"


@dataclass(frozen=True)
class Archive:
    """The parts of an archive.

    Attributes:
        config: text of config.json, the architecture.
        metadata: text of metadata.json, with the version of Keras.
        weights: the HDF5 file with the weights.
        offset: where the HDF5 file begins in the archive, in bytes; 0 if it had to be unpacked.
        vocabulary: text of the vocabulary of a TextVectorization; None without one.
    """

    config: str
    metadata: str
    weights: BinaryIO
    offset: int
    vocabulary: str | None


@contextmanager
def open_archive(path: Path, raw: BinaryIO) -> Iterator[Archive]:
    """Open the archive `raw`; `path` names it in errors.

    Raises:
        BuildError: not a zip, a part is missing or too large, or the file is cut off.
    """
    try:
        with zipfile.ZipFile(raw) as archive:
            config, metadata = (_member(archive, name) for name in (CONFIG, METADATA))
            vocabulary = _vocabulary(path, archive)
            weights, offset = _weights(archive, raw)
    except (zipfile.BadZipFile, KeyError, OSError, EOFError, ValueError) as error:
        raise BuildError(
            f"{path}: not a complete .keras archive ({one_line(error)}): save it again with "
            "model.save('model.keras') and copy the whole file"
        ) from error
    with weights:
        yield Archive(config, metadata, weights, offset, vocabulary)


def _member(archive: zipfile.ZipFile, name: str) -> str:
    if archive.getinfo(name).file_size > _MAX_CONFIG_BYTES:
        raise ValueError(f"{name} is larger than {_MAX_CONFIG_BYTES} bytes")
    return archive.read(name).decode("utf-8")


def _vocabulary(path: Path, archive: zipfile.ZipFile) -> str | None:
    """The one vocabulary among the archive's assets, which it may hold in two places.

    Keras writes it as text of the system: with the line ends of Windows, and in its encoding.
    """
    names = [name for name in archive.namelist() if _VOCABULARY.fullmatch(name)]
    try:
        texts = {_member(archive, name) for name in names}
    except UnicodeDecodeError as error:
        raise BuildError(
            f"{path}: its vocabulary is not UTF-8 (byte {error.start}), as Keras writes it on "
            "Windows: save the model again with PYTHONUTF8=1 in the environment"
        ) from error
    if len(texts) > 1:
        raise ValueError(f"it holds {len(texts)} different vocabularies")
    return "\n".join(re.split("\r\n?|\n", texts.pop())) if texts else None


def _weights(archive: zipfile.ZipFile, raw: BinaryIO) -> tuple[BinaryIO, int]:
    info = archive.getinfo(_WEIGHTS)
    with archive.open(info) as member:
        if info.compress_type != zipfile.ZIP_STORED:
            unpacked = tempfile.TemporaryFile()  # noqa: SIM115 (open_archive closes it)
            shutil.copyfileobj(member, unpacked, 1 << 20)
            return unpacked, 0
    raw.seek(info.header_offset)
    header = struct.unpack(_LOCAL_HEADER, raw.read(struct.calcsize(_LOCAL_HEADER)))
    offset = raw.tell() + header[0] + header[1]
    return io.BufferedReader(_Section(raw, offset, info.file_size)), offset


class _Section(io.RawIOBase):
    """A range of bytes of a file as a file of its own."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self._start, self._size, self._at = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        target = memoryview(buffer)[: max(0, self._size - self._at)]
        self._file.seek(self._start + self._at)
        count = cast(io.BufferedReader, self._file).readinto(target)
        self._at += count
        return count
