"""Read the tokenizer's word index: which word has which row of the embedding.

Supported are `{word: index}` (as `json.dump(tokenizer.word_index)` writes it) or `{index: word}`,
Keras' `tokenizer.to_json()`, which contains the tokenizer's settings as well, a CSV or TSV
(`word_table`), a text with one word per line, and the pickle of a Keras Tokenizer or of its word
index, which is read but never executed (`safe_pickle`). Words are kept as UTF-8 bytes, so an index
of 400,000 words takes about 30 MB.
"""

from __future__ import annotations

import codecs
import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.model_build.downloads import download_problem
from controller.model_build.errors import BuildError
from controller.model_build.kinds import HDF5, KERAS, foreign, is_pickle, kind_of
from controller.model_build.safe_pickle import ForeignPickle, PickleError, read_pickle
from controller.model_build.word_entries import VECTORIZATION, Entries, WrongIndex, utf8
from controller.model_build.word_objects import Found, from_object, load_json, quick_entries
from controller.model_build.word_table import BLANKS, find_table, is_column_name

_FORMS = (
    "{word: index}, tokenizer.to_json(), CSV or TSV with the columns word and index, one word per "
    "line, or the Tokenizer's pickle"
)
_START_BYTES = 1024


@dataclass(frozen=True)
class WordIndex:
    """A word index.

    Attributes:
        words: UTF-8 bytes.
        indices: int64 [words], in the same order.
        settings: those of the tokenizer that the file states.
        length: the sequence length that the file holds beside the tokenizer.
        vectorization: whether it is the vocabulary of a TextVectorization layer.
    """

    words: list[bytes]
    indices: NDArray[np.int64]
    settings: dict[str, Any] = field(default_factory=dict)
    length: int | None = None
    vectorization: bool = False

    def get(self, word: str) -> int | None:
        """The index of a word, found by a scan over all of them; None for an unknown word."""
        try:
            return int(self.indices[self.words.index(word.encode("utf-8"))])
        except ValueError:
            return None

    def __len__(self) -> int:
        return len(self.words)


def read_word_index(path: Path) -> WordIndex:
    """Read and check a word index.

    Raises:
        BuildError: unreadable, in none of the forms, or an index that occurs twice or is below 1.
    """
    problem = download_problem(path)
    if problem:
        raise BuildError(f"{path} {problem}")
    what = foreign(path)
    if not what and path.is_file() and kind_of(path) in (HDF5, KERAS):
        what = "a Keras model: give it with --h5"
    if what:
        raise BuildError(f"{path} is no word index, but {what}")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BuildError(
            f"{path}: {error.strerror}: name the tokenizer's word index with --word-index"
        ) from error
    try:
        found = _read(raw)
        del raw
        return _checked(path, found)
    except ForeignPickle as error:
        raise BuildError(f"{path} is {error}") from error
    except WrongIndex as error:
        raise BuildError(f"{path}: {error}") from error
    except UnicodeDecodeError as error:
        raise BuildError(
            f"{path}: not a word index (byte {error.start} is not UTF-8 text): save it as UTF-8"
        ) from error
    except (PickleError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BuildError(
            f"{path}: not a word index ({error}): the form must be {_FORMS}"
        ) from error


def _read(raw: bytes) -> Found:
    if is_pickle(raw[:_START_BYTES]):
        return from_object(read_pickle(raw))
    raw = raw.removeprefix(codecs.BOM_UTF8)
    start = raw[:64].lstrip()[:1]
    if start == b"{":
        entries = quick_entries(raw)
        return Found(entries) if entries is not None else from_object(load_json(raw))
    if start in (b'"', b"[") and _is_json(raw):
        return from_object(load_json(raw))
    return _lines(raw)


def _is_json(raw: bytes) -> bool:
    """Whether a text is JSON; a list of words may start with a bracket or a quotation mark too."""
    try:
        load_json(raw)
    except ValueError:
        return False
    return True


def _lines(raw: bytes) -> Found:
    """A table of words and indices, or one word per line, numbered from 1."""
    lines = raw.decode("utf-8").replace("\r\n", "\n").rstrip("\n").split("\n")
    entries = Entries()
    table = find_table(lines)
    if table is not None:
        for word, index in table.rows(lines):
            entries.add(utf8(word), index)
        return Found(entries)
    vectorization = lines[:2] == VECTORIZATION
    words = [line.strip(BLANKS) for line in lines]
    if len(words) > 1 and is_column_name(words[0]):
        # Taken for a word, it would move every other one by a row, and nothing else would show it.
        raise ValueError(
            f"line 1 is {words[0]!r}, which names a column: remove it, or, if it is a word, write "
            "each line as word,index"
        )
    for number, word in enumerate(words, start=1):
        if not word and not (vectorization and number == 1):
            raise ValueError(f"line {number} is empty")
        if any(one in word for one in (*BLANKS, "\0")):
            raise ValueError(f"line {number} is {lines[number - 1][:40]!r}, not a word")
    entries.number(words)
    return Found(entries, vectorization=vectorization)


def _checked(path: Path, found: Found) -> WordIndex:
    entries, words = found.entries, found.entries.words
    if not words:
        raise BuildError(f"{path}: not a word index, it is empty: the form must be {_FORMS}")
    indices = np.frombuffer(entries.indices, np.int64)
    order = np.argsort(indices, kind="stable")
    same = np.flatnonzero(np.diff(indices[order]) == 0)
    if len(same):
        one, other = (words[order[same[0] + step]].decode() for step in (0, 1))
        raise BuildError(
            f"{path}: the words {one!r} and {other!r} have the same index "
            f"{indices[order[same[0]]]}, and counts are not indices: give the word index that the "
            "model was trained with (tokenizer.word_index)"
        )
    del order
    ordered = sorted(words)
    for before, word in itertools.pairwise(ordered):
        if before == word:
            raise BuildError(
                f"{path}: not a word index ({word.decode()!r} occurs twice): give the word index "
                "that the model was trained with"
            )
    return WordIndex(words, indices, found.settings, found.length, found.vectorization)
