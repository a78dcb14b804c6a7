"""Settings of a build, which a `.h5` does not contain: labels, tokenizer, padding, names."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from controller.model_build.errors import BuildError
from controller.model_build.labels import label_problem
from controller.model_build.word_objects import load_json
from tox_com_det.model.manifest_reader import DEFAULT_LANGUAGES, LANGUAGE
from tox_com_det.model.normalization import NORMALIZATIONS, Normalization
from tox_com_det.model.tokenizer import DEFAULT_FILTERS, STYLES, Style, TokenizerRules
from tox_com_det.model.windows import MOST_WINDOWS, POOLINGS, Pooling

SETTINGS_FILE = "build_settings.json"
_CHOICES: dict[str, tuple[str | None, ...]] = {
    "mode": ("split", "whole"),
    "dtype": ("float32", "float16"),
    "padding": ("pre", "post"),
    "truncating": ("pre", "post"),
    "normalization": NORMALIZATIONS,
    "style": STYLES,
    "pooling": (None, *POOLINGS),
}
_TOKENIZER_FIELDS = (
    *("num_words", "filters", "lower", "split", "char_level", "oov_token"),
    *("normalization", "style"),
)
_RANGES = {
    "length": (1, 100_000),
    "num_words": (1, 2**31 - 1),
    "windows": (1, MOST_WINDOWS),
    "stride": (1, 100_000),
}
_NAMES = {"name": r"[a-z0-9_-]{1,40}", "embedding_name": r"[a-z0-9_]{1,40}"}


@dataclass(frozen=True)
class Settings:
    """Settings of a build; the JSON form (`build_settings.json`) has the same keys, none required.

    Attributes:
        name: name of the model.
        labels: names of the scores in order.
        languages: that the model was trained for, such as `en`.
        embedding_name: start of the name of the database's collection.
        length: the sequence length, for a model that does not state it.
        windows: in how many windows a text with more words than `length` is read at most; None
            or 1 cuts it, as Keras does.
        stride: words from one window to the next; None is three quarters of the length.
        pooling: what the windows' scores become for each label; None is `max`.
        mode: word vectors in MongoDB (`split`) or in the head (`whole`).
        dtype: of the vectors in MongoDB.
        padding, truncating: as given to Keras' `pad_sequences`.
        num_words, filters, lower, split, char_level, oov_token: as given to Keras' `Tokenizer`;
            `num_words` None is no limit.
        normalization: what happens to a text before the tokenizer's rules: nothing (`keras`), or
            `unicode`; the model needs what it was trained with.
        style: whose rules make tokens of a text: those of Keras' Tokenizer, or of its layer
            TextVectorization.
        texts: golden outputs in addition to the built-in ones.
    """

    name: str = "model"
    labels: tuple[str, ...] = ()
    languages: tuple[str, ...] = DEFAULT_LANGUAGES
    embedding_name: str = "embedding"
    length: int | None = None
    windows: int | None = None
    stride: int | None = None
    pooling: Pooling | None = None
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
    normalization: Normalization = "keras"
    style: Style = "tokenizer"
    texts: tuple[str, ...] = field(default=())

    def tokenizer(self) -> TokenizerRules:
        """The rules by which the server turns a text into tokens."""
        return TokenizerRules(**{name: getattr(self, name) for name in _TOKENIZER_FIELDS})


_KNOWN = {entry.name for entry in fields(Settings)}


def agree(
    where: str, index: dict[str, Any], *sources: dict[str, Any], in_model: bool = False
) -> None:
    """Refuse a setting that contradicts the tokenizer settings in the word index's file.

    Args:
        where: the file.
        in_model: it is the model, whose TextVectorization states them.

    Raises:
        BuildError: the first such setting.
    """
    for source in sources:
        for key, stated in index.items():
            if key in source and source[key] != stated:
                given = f"{key} is given as {source[key]!r}, but {where} says {stated!r}"
                if in_model:
                    raise BuildError(f"{given}, in its TextVectorization: leave out {key}")
                raise BuildError(
                    f"{given}: the model needs the tokenizer that it was trained with: leave out "
                    f"{key}, or give the plain word index, {{word: index}}"
                )


def how_to_give(name: str, value: object = "...") -> str:
    """How to give a setting, for the end of an error message: as an option or in its file."""
    return f"--{name.replace('_', '-')} {value} (or {name!r} in {SETTINGS_FILE} beside the .h5)"


def read_settings(path: Path) -> dict[str, Any]:
    """Keys and values of a `build_settings.json`, checked.

    Raises:
        BuildError: unreadable, not a JSON object, a key that is repeated or unknown, or an invalid
            value.
    """
    try:
        data = load_json(path.read_bytes().removeprefix(codecs.BOM_UTF8))
    except OSError as error:
        raise BuildError(
            f"{path}: {error.strerror}: name the settings file with --settings"
        ) from error
    except (ValueError, RecursionError) as error:
        raise BuildError(f"{path}: not read as JSON ({error}): correct it") from error
    if not isinstance(data, dict):
        raise BuildError(f"{path}: not a JSON object")
    if "class_name" in data and "config" in data and data["class_name"] != "Tokenizer":
        raise BuildError(
            f"{path}: an architecture of Keras, not the settings of a build: give it with "
            "--architecture"
        )
    try:
        make_settings(str(path), data)
    except BuildError as error:
        if path.name == SETTINGS_FILE or not set(data) - _KNOWN:
            raise
        raise BuildError(
            f"{error}; if this file is somebody else's, write yours as {SETTINGS_FILE} beside the "
            ".h5, which is then read alone"
        ) from error
    return data


def make_settings(where: str, *sources: dict[str, Any]) -> Settings:
    """Settings from dictionaries, the later ones override; `where` names them in errors.

    Raises:
        BuildError: an unknown key or an invalid value.
    """
    settings = Settings()
    for source in sources:
        for key, value in source.items():
            if key not in _KNOWN:
                raise BuildError(
                    f"{where}: unknown setting {key!r}: valid settings are "
                    f"{', '.join(sorted(_KNOWN))}"
                )
            if key in ("labels", "languages") and isinstance(value, str):
                value = [one.strip() for one in value.split(",")]
            if key in ("labels", "languages", "texts"):
                value = _texts(where, key, value)
            settings = replace(settings, **{key: value})
    _check(where, settings)
    return settings


def _texts(where: str, key: str, value: Any) -> tuple[str, ...]:
    good = isinstance(value, (list, tuple)) and all(map(_is_text, value))
    if not good or (key != "texts" and len({*value} - {""}) != len(value)):
        raise BuildError(f"{where}: {key} is {value!r}, it must be a list of different texts")
    if problem := next(filter(None, map(label_problem, value)), "") if key == "labels" else "":
        raise BuildError(f"{where}: {problem}")
    return tuple(value)


def _is_text(value: Any) -> bool:
    """Whether a value is text that UTF-8 can store: JSON also allows half a character."""
    return isinstance(value, str) and value.encode("utf-8", "ignore").decode("utf-8") == value


def _check(where: str, settings: Settings) -> None:
    def invalid(key: str, expected: str) -> BuildError:
        return BuildError(f"{where}: {key} is {getattr(settings, key)!r}, it must be {expected}")

    for key, pattern in _NAMES.items():
        value = getattr(settings, key)
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise invalid(key, f"text of the form {pattern}")
    if not settings.languages or not all(re.fullmatch(LANGUAGE, one) for one in settings.languages):
        raise invalid("languages", "codes such as en or hi-Latn")
    for key, allowed in _CHOICES.items():
        if getattr(settings, key) not in allowed:
            raise invalid(key, " or ".join(filter(None, allowed)))
    if settings.mode == "whole" and settings.dtype != "float32":
        raise invalid("dtype", "float32: mode whole stores no vectors in MongoDB")
    for key, (least, most) in _RANGES.items():
        value = getattr(settings, key)
        if value is not None and (
            not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most
        ):
            raise invalid(key, f"an integer from {least} to {most}")
    for key in ("stride", "pooling"):
        if settings.windows is None and getattr(settings, key) is not None:
            raise invalid(key, f"left out, or given with windows: {how_to_give('windows', '16')}")
    for key in ("lower", "char_level"):
        if not isinstance(getattr(settings, key), bool):
            raise invalid(key, "true or false")
    if not _is_text(settings.filters):
        raise invalid("filters", "text")
    if not _is_text(settings.split) or not settings.split:
        raise invalid("split", "text that is not empty")
    try:
        settings.tokenizer()
    except ValueError as error:
        raise BuildError(f"{where}: {error}") from error
    if settings.oov_token is not None and not (_is_text(settings.oov_token) and settings.oov_token):
        none = f"--no-oov-token (null in {SETTINGS_FILE}) says that there is none"
        raise invalid("oov_token", f"text that is not empty; {none}")
