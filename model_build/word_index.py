"""Read the tokenizer's word index: which word has which row of the embedding.

Two forms are read: `{word: index}` (what `json.dump(tokenizer.word_index)` writes) and Keras'
`tokenizer.to_json()`, which holds the tokenizer's settings as well. A pickle is refused: loading
one runs whatever code is in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_build.errors import BuildError

_TOKENIZER_SETTINGS = ("num_words", "filters", "lower", "split", "char_level", "oov_token")


@dataclass(frozen=True)
class WordIndex:
    """Words by index, and those settings of the tokenizer that the file states."""

    words: dict[str, int]
    settings: dict[str, Any]


def read_word_index(path: Path) -> WordIndex:
    """Read and check a word index.

    Raises:
        BuildError: unreadable, not JSON, not a word index, an index twice or below 1.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BuildError(
            f"{path}: {error.strerror}: give the tokenizer's word index with --word-index"
        ) from error
    try:
        if raw[:1] == b"\x80":
            raise BuildError(
                f"{path}: a pickle is not read, it can run any code: write it again with "
                "open('word_index.json', 'w').write(tokenizer.to_json())"
            )
        data = json.loads(raw.decode("utf-8"), object_pairs_hook=_once)
        if isinstance(data, str):  # json.dump(tokenizer.to_json()): JSON in a JSON string
            data = json.loads(data, object_pairs_hook=_once)
        settings: dict[str, Any] = {}
        if isinstance(data, dict) and isinstance(data.get("config"), dict):
            config = data["config"]
            settings = {key: config[key] for key in _TOKENIZER_SETTINGS if key in config}
            data = json.loads(config["word_index"], object_pairs_hook=_once)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BuildError(
            f"{path}: not a word index ({error}): wanted {{word: index}} or tokenizer.to_json()"
        ) from error
    if not isinstance(data, dict) or not data:
        raise BuildError(f"{path}: not a word index: wanted {{word: index}}, not empty")
    return WordIndex(_checked(path, data), settings)


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"{key!r} occurs twice")
        result[key] = value
    return result


def _checked(path: Path, data: dict[str, Any]) -> dict[str, int]:
    owners: dict[int, str] = {}
    for word, index in data.items():
        if not isinstance(index, int) or isinstance(index, bool) or index < 1:
            why = "index 0 is the padding" if index == 0 else "an index is a whole number from 1"
            raise BuildError(f"{path}: word {word!r} has index {index!r}: {why}")
        if index in owners:
            raise BuildError(
                f"{path}: words {owners[index]!r} and {word!r} share index {index}: "
                "this is not the index that the model was trained with"
            )
        owners[index] = word
    return data
