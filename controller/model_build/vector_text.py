"""Parse word vectors as text: GloVe (`word number number ...`) and word2vec.

word2vec's text is the same below a first line `count dimension`.
"""

from __future__ import annotations

import codecs
import sys
import warnings
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from functools import partial
from itertools import islice
from multiprocessing import get_context
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

ROW_TYPE = np.dtype("<f4")
_CHUNK = 1 << 20
# Processes that parse the text of a large file, besides this one.
_PROCESSES = 2

_Block = list[bytes]
# Words, their rows end to end, and what is wrong with the first line that cannot be parsed.
_Parsed = tuple[list[bytes], bytes, str | None]


def read_text(stream: BinaryIO, large: bool) -> Iterator[tuple[bytes, bytes]]:
    """Words (UTF-8) and their rows (little-endian float32) of a text.

    Args:
        large: whether the text is worth processes of its own.

    Raises:
        ValueError, DeprecationWarning: a line is not a word with numbers, or lines are missing.
    """
    first = stream.readline(_CHUNK)
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError("the file is UTF-16, not UTF-8: save it as UTF-8")
    first = first.removeprefix(codecs.BOM_UTF8)
    if not first.strip():
        return
    parts = first.split()
    block: _Block = []
    declared: int | None = None
    if len(parts) == 2 and all(part.isdigit() for part in parts):
        declared, dimension = int(parts[0]), int(parts[1])
    else:
        block, dimension = [first], len(_line(first, None)[1])
    count, size = 0, dimension * ROW_TYPE.itemsize
    for words, rows, problem in _parsed(_blocks(stream, block), dimension, large):
        for number, word in enumerate(words):
            yield word, rows[number * size : (number + 1) * size]
        count += len(words)
        if problem is not None:
            raise ValueError(problem)
    if declared is not None and count != declared:
        raise ValueError(f"the file ends after {count} words, its first line says {declared}")


def check_row(word: bytes, row: NDArray[np.float32]) -> None:
    """Refuse an empty word, one that is not UTF-8, and numbers that are not finite.

    Raises:
        ValueError: with the reason.
    """
    if not word or b"\0" in word:
        raise ValueError("it is empty")
    word.decode("utf-8")
    if not np.isfinite(row).all():
        raise ValueError("it contains NaN or infinity")


def _blocks(stream: BinaryIO, first: _Block) -> Iterator[_Block]:
    while lines := first + stream.readlines(_CHUNK):
        first = []
        yield lines


def _parsed(blocks: Iterator[_Block], dimension: int, large: bool) -> Iterator[_Parsed]:
    """The parsed blocks in order; those of a large file are parsed by two processes at a time.

    A number as text takes 70 ns, and 120 million of them longer than everything else together.
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


def _parse(lines: _Block, dimension: int) -> _Parsed:
    """Words and rows of the lines before the first one that cannot be parsed."""
    words: list[bytes] = []
    rows: list[bytes] = []
    problem = None
    with warnings.catch_warnings():
        # numpy only warns about text after the numbers, and will raise in a later version.
        warnings.simplefilter("error", DeprecationWarning)
        for line in lines:
            try:
                word, row = _line(line, dimension)
                check_row(word, row)
            except (ValueError, DeprecationWarning) as error:
                problem = str(error)
                break
            words.append(word)
            rows.append(row.tobytes())
    return words, b"".join(rows), problem


def _line(line: bytes, dimension: int | None) -> tuple[bytes, NDArray[np.float32]]:
    word, _, rest = line.partition(b" ")
    with warnings.catch_warnings() if dimension is None else nullcontext():
        if dimension is None:
            warnings.simplefilter("error", DeprecationWarning)
        try:
            row: NDArray[np.float32] = np.fromstring(rest, ROW_TYPE, sep=" ")
            if len(row) and dimension in (None, len(row)):
                return word, row
        except (ValueError, DeprecationWarning):
            row = np.empty(0, ROW_TYPE)
    if dimension is None:
        raise ValueError("its line is not a word with numbers")
    # GloVe's largest file has words that contain a space.
    parts = line.rstrip().rsplit(b" ", dimension)
    if len(parts) != dimension + 1:
        raise ValueError(f"it has {len(row)} numbers, the words before it have {dimension}")
    return parts[0], np.array(parts[1:], np.float64).astype(ROW_TYPE)
