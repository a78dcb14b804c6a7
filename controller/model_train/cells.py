"""Read the rows of a CSV file, whatever its delimiter is; what is none is refused with its line."""

from __future__ import annotations

import csv
import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

from controller.model_train.errors import TrainError
from controller.scores.csv_rows import header

__all__ = ["Table", "read_table"]

_DELIMITERS = ",;\t"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_GZIP = b"\x1f\x8b"
_SHOWN = 60


class Table:
    """A CSV file: the names in its header, and its rows with their line numbers."""

    def __init__(self, path: Path, names: list[str], rows: Iterator[tuple[int, list[str]]]) -> None:
        self.path, self.names, self.rows = path, names, rows


def read_table(path: Path, column: str) -> Table:
    """Read a CSV, plain or gzipped, with commas, semicolons or tabs between its cells.

    Args:
        path: UTF-8, with a header.
        column: a name that the header must have; the delimiter is the one that sets it apart.

    Raises:
        TrainError: not readable, not UTF-8, no such column, or (while rows are read) a row with
            another number of cells than the header.
    """
    text = _decoded(path, _content(path))
    first = text.partition("\n")[0]
    for delimiter in _DELIMITERS:
        names = [name.strip() for name in header(first, delimiter)]
        if column in names:
            break
    else:
        shown = first.strip()[:_SHOWN] or "empty"
        raise TrainError(
            f"{path}: no column {column} in its first line ({shown}): name the column of the "
            "comments with --text-column"
        )
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise TrainError(
            f"{path}: its header has {min(repeated)!r} more than once: rename one of the columns"
        )
    return Table(path, names, _rows(path, text, delimiter, len(names)))


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(_GZIP) else content
    except OSError as error:
        why = error.strerror or f"cannot be unpacked ({error})"
    except (EOFError, zlib.error) as error:
        why = f"cannot be unpacked ({error})"
    raise TrainError(f"{path}: {why}: name a CSV file of labelled comments with --data")


def _decoded(path: Path, content: bytes) -> str:
    if content.startswith(_UTF16):
        raise TrainError(
            f"{path}: UTF-16, not UTF-8: convert it with `iconv -f UTF-16 -t UTF-8 {path.name}`"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TrainError(
            f"{path}: line {line} is not UTF-8 (byte {content[error.start]:#04x}): if it was saved "
            f"by a spreadsheet, convert it with `iconv -f WINDOWS-1252 -t UTF-8 {path.name}`"
        ) from None


def _rows(path: Path, text: str, delimiter: str, width: int) -> Iterator[tuple[int, list[str]]]:
    # The longest comment may be longer than the csv module's own limit of 131,072 characters.
    limit = csv.field_size_limit(sys.maxsize)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        next(reader)
        start = reader.line_num + 1
        for cells in reader:
            if cells and len(cells) != width:
                raise TrainError(
                    f"{path}: line {start} has {len(cells)} cells, the header has {width}: put "
                    "texts with a delimiter or a line break in quotation marks"
                )
            if cells:
                yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        raise TrainError(
            f"{path}: not a CSV file from line {start} on ({error}): correct the quotation marks "
            "there"
        ) from None
    finally:
        csv.field_size_limit(limit)
