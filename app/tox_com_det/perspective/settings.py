"""Settings of the Perspective API, from the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tox_com_det.perspective.attributes import DEFAULT_LABELS

# Without the prefix TOX_COM_DET_, which older releases read and whose other names they refuse.
ATTRIBUTES = "SLOT_PERSPECTIVE_ATTRIBUTES"
LANGUAGES = "SLOT_PERSPECTIVE_LANGUAGES"
MAX_BYTES = "SLOT_PERSPECTIVE_MAX_BYTES"
DROP = "SLOT_PERSPECTIVE_DROP_UNSUPPORTED"
DETECT = "SLOT_PERSPECTIVE_DETECT_LANGUAGES"
REFUSE = "SLOT_PERSPECTIVE_REFUSE_OTHER_LANGUAGES"
ORIGINS = "SLOT_PERSPECTIVE_ORIGINS"
STORE = "SLOT_PERSPECTIVE_STORE_SUGGESTIONS"
STORE_MB = "SLOT_PERSPECTIVE_SUGGESTIONS_MAX_MB"
STORE_DAYS = "SLOT_PERSPECTIVE_SUGGESTIONS_DAYS"


class PerspectiveSettingsError(ValueError):
    """A setting cannot be read. One line."""


@dataclass(frozen=True)
class PerspectiveSettings:
    """Settings of the Perspective API.

    Attributes:
        labels: attribute -> label of the model.
        languages: that may be requested, such as `en`; (): those in the model's manifest.
        max_bytes: of one comment, in UTF-8.
        drop_unsupported: leave out what the model does not have, also where the client does not
            ask for it.
        detect_languages: name the language of a comment where it is clear.
        refuse_other_languages: refuse a comment whose detected language the model does not have,
            where the client named none; otherwise it is scored.
        origins: web pages that may send requests; `*`: every page, (): none.
        store_suggestions: keep what clients suggest in the database.
        suggestions_max_mb: MB of suggestions, beyond which none is stored.
        suggestions_days: after which a suggestion is removed; 0: never.
    """

    labels: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_LABELS))
    languages: tuple[str, ...] = ()
    max_bytes: int = 20480
    drop_unsupported: bool = False
    detect_languages: bool = True
    refuse_other_languages: bool = False
    origins: tuple[str, ...] = ("*",)
    store_suggestions: bool = False
    suggestions_max_mb: int = 200
    suggestions_days: int = 0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> PerspectiveSettings:
        """Settings from `SLOT_PERSPECTIVE_*`; an empty value is the default, but for `ORIGINS`.

        Raises:
            PerspectiveSettingsError: a value cannot be read.
        """
        default = cls()
        return cls(
            labels=_labels(environment.get(ATTRIBUTES, "")) or default.labels,
            languages=_words(environment, LANGUAGES, r"[a-z]{2,3}(-[A-Za-z]{2,8})?"),
            max_bytes=_whole(environment, MAX_BYTES, default.max_bytes, 1, 1_000_000),
            drop_unsupported=_flag(environment, DROP, default.drop_unsupported),
            detect_languages=_flag(environment, DETECT, default.detect_languages),
            refuse_other_languages=_flag(environment, REFUSE, default.refuse_other_languages),
            origins=_origins(environment, default.origins),
            store_suggestions=_flag(environment, STORE, default.store_suggestions),
            suggestions_max_mb=_whole(
                environment, STORE_MB, default.suggestions_max_mb, 1, 100_000
            ),
            suggestions_days=_whole(environment, STORE_DAYS, default.suggestions_days, 0, 20_000),
        )


def _labels(value: str) -> dict[str, str]:
    labels = {}
    for pair in filter(None, value.split(",")):
        name, separator, label = pair.partition("=")
        if not separator or not label or re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", name) is None:
            raise PerspectiveSettingsError(
                f"{ATTRIBUTES} contains {pair!r}, expected pairs such as TOXICITY=toxic"
            )
        labels[name] = label
    return labels


def _words(environment: Mapping[str, str], name: str, pattern: str) -> tuple[str, ...]:
    words = tuple(filter(None, environment.get(name, "").split(",")))
    for word in words:
        if re.fullmatch(pattern, word) is None:
            raise PerspectiveSettingsError(f"{name} contains {word!r}, expected {pattern}")
    return words


def _origins(environment: Mapping[str, str], default: tuple[str, ...]) -> tuple[str, ...]:
    """An empty value is no page, as for nginx and HAProxy; only a missing one is the default."""
    if ORIGINS not in environment:
        return default
    return _words(environment, ORIGINS, r"\*|[a-z-]+://[^\s,/]+")


def _whole(environment: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    value = environment.get(name, "") or str(default)
    if re.fullmatch(r"[0-9]{1,7}", value) is None or not low <= int(value) <= high:
        raise PerspectiveSettingsError(f"{name} is {value!r}, expected {low} to {high}")
    return int(value)


def _flag(environment: Mapping[str, str], name: str, default: bool) -> bool:
    value = environment.get(name, "")
    if value not in ("", "0", "1"):
        raise PerspectiveSettingsError(f"{name} is {value!r}, expected 0 or 1")
    return value == "1" if value else default
