"""What a `.h5` does not say about its model: labels, tokenizer, side of the padding, names."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from controller.model_build.errors import BuildError
from tox_com_det.model.tokenizer import DEFAULT_FILTERS, TokenizerRules

_CHOICES = {
    "mode": ("split", "whole"),
    "dtype": ("float32", "float16"),
    "padding": ("pre", "post"),
    "truncating": ("pre", "post"),
}
_TOKENIZER_FIELDS = ("num_words", "filters", "lower", "split", "char_level", "oov_token")


@dataclass(frozen=True)
class Settings:
    """Settings of a build; the JSON form (`model.json`) has the same keys, none required.

    `labels`: names of the scores in order. `length`: the sequence length, for a model that leaves
    it open. `mode`: vectors in MongoDB (`split`) or in the head (`whole`). `dtype`: of the vectors
    in MongoDB. `num_words` to `oov_token`: as given to Keras' `Tokenizer` (`num_words` None: no
    limit). `padding`, `truncating`: as given to `pad_sequences`. `texts`: known answers beside the
    built-in ones.
    """

    name: str = "model"
    labels: tuple[str, ...] = ()
    embedding_name: str = "embedding"
    length: int | None = None
    mode: Literal["split", "whole"] = "split"
    dtype: Literal["float32", "float16"] = "float32"
    padding: Literal["pre", "post"] = "pre"
    truncating: Literal["pre", "post"] = "pre"
    num_words: int | None = None
    filters: str = DEFAULT_FILTERS
    lower: bool = True
    split: str = " "
    char_level: bool = False
    oov_token: str | None = None
    texts: tuple[str, ...] = field(default=())

    def tokenizer(self) -> TokenizerRules:
        return TokenizerRules(**{name: getattr(self, name) for name in _TOKENIZER_FIELDS})


def agree(where: str, index: dict[str, Any], *sources: dict[str, Any]) -> None:
    """Refuse a setting that contradicts what the word index's own file says.

    Raises:
        BuildError: the first such setting.
    """
    for source in sources:
        for key, stated in index.items():
            if key in source and source[key] != stated:
                raise BuildError(
                    f"{key} is {source[key]!r} as given, {stated!r} in {where}: the sequence must "
                    f"be the one that the model was trained with: leave {key} out, or give the "
                    "word index alone as {word: index}"
                )


def how_to_give(name: str, value: object = "...") -> str:
    """How to give a setting, for the end of an error: as an option or in the settings file."""
    return f"--{name.replace('_', '-')} {value} (or {name!r} in model.json beside the .h5)"


def read_settings(path: Path) -> dict[str, Any]:
    """Keys and values of a `model.json`, checked.

    Raises:
        BuildError: unreadable, not a JSON object, an unknown key or a wrong value.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BuildError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise BuildError(f"{path}: not JSON: {error}") from error
    if not isinstance(data, dict):
        raise BuildError(f"{path}: not a JSON object")
    make_settings(str(path), data)
    return data


def make_settings(where: str, *sources: dict[str, Any]) -> Settings:
    """Settings from dictionaries, the later ones first in rank; `where` names them in errors.

    Raises:
        BuildError: an unknown key or a value that cannot be.
    """
    settings = Settings()
    known = {entry.name for entry in fields(Settings)}
    for source in sources:
        for key, value in source.items():
            if key not in known:
                raise BuildError(f"{where}: unknown setting {key!r}, known: {sorted(known)}")
            if key == "labels" and isinstance(value, str):
                value = [label.strip() for label in value.split(",")]
            if key in ("labels", "texts"):
                value = _texts(where, key, value)
            settings = replace(settings, **{key: value})
    _check(where, settings)
    return settings


def _texts(where: str, key: str, value: Any) -> tuple[str, ...]:
    good = isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)
    if not good or (key == "labels" and len({*value} - {""}) != len(value)):
        raise BuildError(f"{where}: {key} is {value!r}, wanted a list of texts, each once")
    return tuple(value)


def _check(where: str, settings: Settings) -> None:
    def wrong(key: str, wanted: str) -> BuildError:
        return BuildError(f"{where}: {key} is {getattr(settings, key)!r}, wanted {wanted}")

    for key, pattern in (("name", r"[a-z0-9_-]{1,40}"), ("embedding_name", r"[a-z0-9_]{1,40}")):
        value = getattr(settings, key)
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise wrong(key, f"text of the form {pattern}")
    for key, allowed in _CHOICES.items():
        if getattr(settings, key) not in allowed:
            raise wrong(key, " or ".join(allowed))
    if settings.mode == "whole" and settings.dtype != "float32":
        raise wrong("dtype", "float32: mode whole has no vectors in MongoDB")
    for key in ("length", "num_words"):
        value = getattr(settings, key)
        if value is not None and (
            not isinstance(value, int) or isinstance(value, bool) or value < 1
        ):
            raise wrong(key, "a whole number from 1")
    for key in ("lower", "char_level"):
        if not isinstance(getattr(settings, key), bool):
            raise wrong(key, "true or false")
    if not isinstance(settings.filters, str):
        raise wrong("filters", "text")
    if not isinstance(settings.split, str) or not settings.split:
        raise wrong("split", "text, not empty")
    if settings.oov_token is not None and not (
        isinstance(settings.oov_token, str) and settings.oov_token
    ):
        raise wrong("oov_token", "text, not empty")
