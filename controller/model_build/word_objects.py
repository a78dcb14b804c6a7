"""Find the word index in what a JSON file or a pickle holds.

People save a Tokenizer in many ways: its `to_json()`, its `word_index`, the object, a list of the
words, and each of these in a tuple or a dictionary together with the sequence length.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from controller.model_build.word_entries import VECTORIZATION, Entries, utf8
from tox_com_det.strict_json import integer

TOKENIZER_SETTINGS = ("num_words", "filters", "lower", "split", "char_level", "oov_token")
_SIDES = ("padding", "truncating")
_LENGTHS = frozenset(
    {"maxlen", "maxlength", "maxsequencelength", "maxseqlen", "maxseqlength", "sequencelength"}
    | {"seqlen", "seqlength", "inputlength", "maxsequencelen", "paddinglength"}
)
_INDICES = (
    *("word_index", "word2idx", "word2index", "word_to_index", "word_to_idx", "word2id", "w2i"),
    *("stoi", "vocab", "vocabulary", "index_word", "idx2word"),
)
_INTEGER = re.compile(r"0|[1-9][0-9]{0,9}")
_DEPTH = 4
# One entry of a JSON object of words and whole numbers, as json.dump writes it.
_ENTRY = re.compile(rb'\s*"((?:[^"\\\x00-\x1f]|\\.)*)"\s*:\s*(-?(?:0|[1-9][0-9]{0,9}))\s*([,}])')


@dataclass
class Found:
    """What an object says.

    Attributes:
        entries: words and indices.
        settings: those of the tokenizer, and the sides of `pad_sequences`.
        length: the sequence length that is beside the tokenizer.
        vectorization: whether the words are the vocabulary of a TextVectorization layer.
    """

    entries: Entries
    settings: dict[str, Any] = field(default_factory=dict)
    length: int | None = None
    vectorization: bool = False


def from_object(data: Any, depth: int = 0) -> Found:
    """The word index in an object.

    Raises:
        ValueError, KeyError, TypeError: there is none, or several.
    """
    if depth > _DEPTH:
        raise ValueError("its objects are nested too deeply")
    if isinstance(data, str):  # json.dump(tokenizer.to_json()): JSON in a JSON string
        return from_object(load_json(data.encode("utf-8")), depth + 1)
    if isinstance(data, (list, tuple)):
        return _from_list(data, depth)
    if not isinstance(data, Mapping):
        raise ValueError("it contains no words with an index")
    if isinstance(data.get("config"), Mapping) and "word_index" in data["config"]:
        return _tokenizer(data["config"])
    if isinstance(data.get("config"), Mapping):
        if "class_name" not in data:
            raise ValueError("its config has no word_index")
        raise ValueError(f"it is the architecture of a {data['class_name']}, without any word")
    if isinstance(data.get("word_index"), Mapping):
        return _tokenizer(data)
    if isinstance(data.get("model"), Mapping) and "vocab" in data["model"]:
        raise ValueError(
            "it is a tokenizer of Hugging Face, which makes pieces of words: such a model is not "
            "supported"
        )
    return _from_mapping(data, depth)


def load_json(raw: bytes) -> Any:
    """The value of a JSON text, whose objects have each key once.

    Raises:
        ValueError: not JSON, or a key that occurs twice.
    """
    return json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_int=integer)


def quick_entries(raw: bytes) -> Entries | None:
    """Entries of a flat JSON object, without building the object; None for any other JSON."""
    at = raw.index(b"{") + 1
    entries = Entries()
    while match := _ENTRY.match(raw, at):
        word, index, end = match.groups()
        if b"\\" in word:
            word = utf8(json.loads(b'"' + word + b'"'))
        entries.add(word, int(index))
        at = match.end()
        if end == b"}":
            return entries if not raw[at:].strip() else None
    return None


def _tokenizer(data: Mapping[str, Any]) -> Found:
    """The attributes of a Tokenizer, or the configuration that `to_json()` writes."""
    settings = {key: data[key] for key in TOKENIZER_SETTINGS if key in data}
    if isinstance(settings.get("filters"), (list, tuple)):
        settings["filters"] = "".join(settings["filters"])
    if not isinstance(data["word_index"], str):
        return Found(_entries(data["word_index"]), settings)
    text = data["word_index"].encode("utf-8")
    entries = quick_entries(text)
    return Found(entries if entries is not None else _entries(load_json(text)), settings)


def _from_list(data: Sequence[Any], depth: int) -> Found:
    if len(data) > 1 and all(isinstance(one, str) and not _is_json_object(one) for one in data):
        entries = Entries()
        entries.number(list(data))
        return Found(entries, vectorization=list(data[:2]) == VECTORIZATION)
    if len(data) > 1 and all(isinstance(one, (list, tuple)) and len(one) == 2 for one in data):
        return Found(_pairs(data))
    held = [one for one in data if _holds_words(one)]
    if len(held) != 1:
        raise ValueError(
            "it is a list that holds no words with an index"
            if not held
            else f"it is a list that holds {len(held)} tokenizers or word indices"
        )
    found = from_object(held[0], depth + 1)
    numbers = [one for one in data if isinstance(one, int) and not isinstance(one, bool)]
    if found.length is None and len(numbers) == 1 and numbers[0] > 0:
        found.length = numbers[0]
    return found


def _from_mapping(data: Mapping[Any, Any], depth: int) -> Found:
    """A plain word index, or a dictionary that holds one under a name."""
    held = {key: one for key, one in data.items() if isinstance(key, str) and _holds_words(one)}
    if not held:
        return Found(_entries(data))
    name = (
        next((one for one in _INDICES if one in held), None) if len(held) > 1 else next(iter(held))
    )
    if name is None:
        raise ValueError(
            f"it holds several: {', '.join(map(repr, [*held][:5]))}; write one of them to a file"
        )
    found = from_object(held[name], depth + 1)
    for key, value in data.items():
        plain = re.sub(r"[\W_]+", "", key).lower() if isinstance(key, str) else ""
        if plain in _LENGTHS and isinstance(value, int) and not isinstance(value, bool):
            found.length = value if value > 0 else None
        if plain in _SIDES and value in ("pre", "post"):
            found.settings.setdefault(plain, value)
    return found


def _holds_words(value: Any) -> bool:
    """Whether a value in a tuple or a dictionary is a tokenizer or a word index."""
    if isinstance(value, str):
        return _is_json_object(value)
    if not isinstance(value, Mapping) or not value:
        return False
    if "word_index" in value or (isinstance(value.get("config"), Mapping)):
        return True
    some = next(iter(value.items()))
    return isinstance(some[1], (int, str)) and not isinstance(some[1], bool) and len(value) > 1


def _is_json_object(text: str) -> bool:
    return text.lstrip()[:1] == "{" and '"' in text


def _pairs(data: Sequence[Sequence[Any]]) -> Entries:
    """Entries of `list(word_index.items())`, in either order."""
    entries = Entries()
    for one, other in data:
        word, index = (one, other) if isinstance(one, str) else (other, one)
        entries.add(utf8(word), index)
    return entries


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
        entries.add(utf8(word), index)
    return entries


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"{key!r} occurs twice")
        result[key] = value
    return result
