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
import json
import re
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.model_build.errors import BuildError
from controller.model_build.safe_pickle import PickleError, read_pickle
from controller.model_build.word_table import BLANKS, find_table

TOKENIZER_SETTINGS = ("num_words", "filters", "lower", "split", "char_level", "oov_token")
_FORMS = (
    "{word: index}, tokenizer.to_json(), CSV or TSV with the columns word and index, one word per "
    "line, or the Tokenizer's pickle"
)
_PICKLE_START = re.compile(rb"\x80[\x02-\x05]")
# One entry of a JSON object of words and whole numbers, as json.dump writes it.
_ENTRY = re.compile(rb'\s*"((?:[^"\\\x00-\x1f]|\\.)*)"\s*:\s*(-?(?:0|[1-9][0-9]{0,9}))\s*([,}])')
_INTEGER = re.compile(r"0|[1-9][0-9]{0,9}")
_MAX_INDEX = 2**31 - 1


@dataclass(frozen=True)
class WordIndex:
    """A word index.

    Attributes:
        words: UTF-8 bytes.
        indices: int64 [words], in the same order.
        settings: those of the tokenizer that the file states.
    """

    words: list[bytes]
    indices: NDArray[np.int64]
    settings: dict[str, Any] = field(default_factory=dict)

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
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BuildError(
            f"{path}: {error.strerror}: name the tokenizer's word index with --word-index"
        ) from error
    try:
        entries, settings = _read(raw)
        del raw
        return _checked(path, entries, settings)
    except _WrongIndex as error:
        raise BuildError(f"{path}: {error}") from error
    except UnicodeDecodeError as error:
        raise BuildError(
            f"{path}: not a word index (byte {error.start} is not UTF-8 text): save it as UTF-8"
        ) from error
    except (PickleError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BuildError(
            f"{path}: not a word index ({error}): the form must be {_FORMS}"
        ) from error


class _WrongIndex(ValueError):
    """A word with an invalid index; the message is complete."""


class Entries:
    """Words and indices as they are read, in compact form."""

    def __init__(self) -> None:
        self.words: list[bytes] = []
        self.indices = array("q")

    def add(self, word: bytes, index: Any) -> None:
        """Add a word.

        Raises:
            ValueError: the index is not an integer from 1 to 2**31 - 1.
        """
        if not isinstance(index, int) or isinstance(index, bool) or not 1 <= index <= _MAX_INDEX:
            why = "index 0 is the padding" if index == 0 else "an index is an integer from 1"
            shown = word.decode("utf-8", "replace")
            raise _WrongIndex(
                f"word {shown!r} has index {index!r}, but {why}: write the word index again from "
                "the tokenizer"
            )
        self.words.append(word)
        self.indices.append(index)


def _read(raw: bytes) -> tuple[Entries, dict[str, Any]]:
    if _PICKLE_START.match(raw):
        return _from_object(read_pickle(raw))
    raw = raw.removeprefix(codecs.BOM_UTF8)
    start = raw[:64].lstrip()[:1]
    if start == b"{":
        entries = _quick(raw)
        return (entries, {}) if entries is not None else _from_object(_json(raw))
    if start in (b'"', b"[") and _is_json(raw):
        return _from_object(_json(raw))
    return _lines(raw), {}


def _quick(raw: bytes) -> Entries | None:
    """Entries of a flat JSON object, without building the object; None for any other JSON."""
    at = raw.index(b"{") + 1
    entries = Entries()
    while match := _ENTRY.match(raw, at):
        word, index, end = match.groups()
        if b"\\" in word:
            word = _utf8(json.loads(b'"' + word + b'"'))
        entries.add(word, int(index))
        at = match.end()
        if end == b"}":
            return entries if not raw[at:].strip() else None
    return None


def _json(raw: bytes) -> Any:
    return json.loads(raw.decode("utf-8"), object_pairs_hook=_once)


def _is_json(raw: bytes) -> bool:
    """Whether a text is JSON; a list of words may start with a bracket or a quotation mark too."""
    try:
        _json(raw)
    except ValueError:
        return False
    return True


def _lines(raw: bytes) -> Entries:
    """A table of words and indices, or one word per line, numbered from 1."""
    lines = raw.decode("utf-8").replace("\r\n", "\n").rstrip("\n").split("\n")
    entries = Entries()
    table = find_table(lines)
    if table is not None:
        for word, index in table.rows(lines):
            entries.add(_utf8(word), index)
        return entries
    for number, line in enumerate(lines, start=1):
        word = line.strip(BLANKS)
        if not word:
            raise ValueError(f"line {number} is empty")
        if any(one in word for one in (*BLANKS, "\0")):
            raise ValueError(f"line {number} is {line[:40]!r}, not a word")
        entries.add(_utf8(word), number)
    return entries


def _from_object(data: Any) -> tuple[Entries, dict[str, Any]]:
    if isinstance(data, str):  # json.dump(tokenizer.to_json()): JSON in a JSON string
        data = _json(data.encode("utf-8"))
    settings: dict[str, Any] = {}
    if isinstance(data, Mapping) and isinstance(data.get("config"), Mapping):
        config = data["config"]
        settings = {key: config[key] for key in TOKENIZER_SETTINGS if key in config}
        if not isinstance(config["word_index"], str):
            return _entries(config["word_index"]), settings
        text = config["word_index"].encode("utf-8")
        del data, config
        entries = _quick(text)
        return (entries if entries is not None else _entries(_json(text))), settings
    if isinstance(data, Mapping) and isinstance(data.get("word_index"), Mapping):
        settings = {key: data[key] for key in TOKENIZER_SETTINGS if key in data}
        if isinstance(settings.get("filters"), (list, tuple)):
            settings["filters"] = "".join(settings["filters"])
        data = data["word_index"]
    return _entries(data), settings


def _entries(data: Any) -> Entries:
    if not isinstance(data, Mapping):
        raise ValueError("it contains no words with an index")
    entries = Entries()
    swapped = bool(data) and all(
        isinstance(word, str) and _INTEGER.fullmatch(str(index)) for index, word in data.items()
    )
    for word, index in data.items():
        if swapped:  # tokenizer.index_word
            word, index = index, int(word)
        entries.add(_utf8(word), index)
    return entries


def _utf8(word: Any) -> bytes:
    if not isinstance(word, str):
        raise ValueError(f"{word!r} is not a word")
    try:
        return word.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"the word {word!r} is not UTF-8 text") from error


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"{key!r} occurs twice")
        result[key] = value
    return result


def _checked(path: Path, entries: Entries, settings: dict[str, Any]) -> WordIndex:
    words = entries.words
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
    return WordIndex(words, indices, settings)
