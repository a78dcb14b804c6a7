"""Where each setting of a build comes from, and the words that say so.

What nobody states is assumed, and a wrong assumption changes scores without an error. So every
build prints its settings with their origins, the manifest keeps the line, and `fab status` shows
it. Old apps read such a manifest: the line is one more entry of `built_with`, which no version of a
model depends on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.model_build.consistency import windows_of
from controller.model_build.settings import Settings
from tox_com_det.model.tokenizer import DEFAULT_FILTERS

ASSUMED, MODEL, TOKENIZER = "assumed", "model", "tokenizer"
FILE, OPTION, REFERENCE = "settings file", "option", "reference"
# The entry of `built_with` in a manifest.
KEY = "settings"


@dataclass(frozen=True)
class Origins:
    """The origin of each setting that somebody stated, by its name."""

    stated: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, setting: str) -> str:
        return self.stated.get(setting, ASSUMED)

    def assumed(self, setting: str) -> bool:
        """Whether nobody stated a setting."""
        return setting not in self.stated

    def with_origin(self, origin: str, *settings: str) -> Origins:
        """These origins, and one for further settings."""
        return Origins({**self.stated, **dict.fromkeys(settings, origin)})


def origins_of(
    tokenizer: Mapping[str, Any], file: Mapping[str, Any], options: Mapping[str, Any]
) -> Origins:
    """The origins of the settings in the word index's file, the settings file and the options."""
    stated = {}
    for origin, source in ((TOKENIZER, tokenizer), (FILE, file), (OPTION, options)):
        stated.update(dict.fromkeys(source, origin))
    return Origins(stated)


def summary(settings: Settings, origins: Origins, length: int | None) -> list[str]:
    """The settings that decide what the model reads, a line for each group, with their origins.

    Args:
        length: the sequence length, None where it is not known.
    """

    def said(what: str, setting: str) -> str:
        return f"{what} ({origins[setting]})"

    tokens = "length unknown" if length is None else f"{length} tokens ({origins['length']})"
    oov, limit = settings.oov_token, settings.num_words
    return [
        ", ".join(
            [
                tokens,
                said(f"padding {settings.padding}", "padding"),
                said(f"truncating {settings.truncating}", "truncating"),
                f"index 0 for padding ({_padding_origin(origins)})",
                said(_long_texts(settings, length), "windows"),
            ]
        ),
        ", ".join(
            [
                said(
                    f"unknown words read as {oov!r}" if oov else "unknown words dropped",
                    "oov_token",
                ),
                said(f"num_words {limit}" if limit else "every word of the index", "num_words"),
            ]
        ),
        ", ".join(said(what, setting) for setting, what in _rules(settings)),
    ]


def _padding_origin(origins: Origins) -> str:
    """Who says that a position without a word has the index 0: a TextVectorization in the model."""
    return MODEL if origins["padding"] == MODEL else ASSUMED


def recorded(lines: list[str]) -> str:
    """The lines of `summary` as the manifest keeps them."""
    return ", ".join(lines)


def _long_texts(settings: Settings, length: int | None) -> str:
    windows = windows_of(settings, length) if length is not None else None
    return f"up to {windows.most} windows" if windows else "longer texts cut"


def _rules(settings: Settings) -> Iterator[tuple[str, str]]:
    yield "lower", "lower case" if settings.lower else "case kept"
    if settings.char_level:
        yield "char_level", "characters"
    else:
        yield "split", f"split at {settings.split!r}"
        own = settings.filters == DEFAULT_FILTERS
        yield "filters", "filters of Keras" if own else f"filters {settings.filters!r}"
    named = settings.normalization
    yield "normalization", "not normalized" if named == "keras" else f"normalization {named}"
