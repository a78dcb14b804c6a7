"""Settings from the environment: read once at start, every name and value checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tox_com_det.mongodb_uri import UriError, check_uri
from tox_com_det.perspective.settings import PerspectiveSettings, PerspectiveSettingsError

PREFIX = "TOX_COM_DET_"
DEFAULT_MONGODB_URI = "mongodb://127.0.0.1:27017"
# Without the prefix, because releases before 0.3 refuse names with it that they do not know, and a
# server may go back to one.
THREADS = "SLOT_THREADS"
MAX_UNKNOWN_WORDS = "SLOT_MAX_UNKNOWN_WORDS"
KEYS_FILE = "SLOT_KEYS_FILE"
REQUIRE_KEY = "SLOT_REQUIRE_KEY"
FACTS_FILE = "SLOT_FACTS_FILE"
# The name that prometheus_client reads; `toxctl run-slot` sets it where a slot has several workers.
SHARED_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"

_DEFAULTS: dict[str, str | None] = {
    "MODEL": None,
    "SLOT": "none",
    "MONGODB_URI": DEFAULT_MONGODB_URI,
    "MONGODB_TIMEOUT_MS": "2000",
    "CACHE_WORDS": "20000",
    "MAX_TEXTS": "32",
    "MAX_CHARS": "20000",
    "MAX_BODY_BYTES": "1048576",
}
_UNPREFIXED_DEFAULTS: dict[str, str] = {THREADS: "320", MAX_UNKNOWN_WORDS: "4000"}


class SettingsError(ValueError):
    """A setting is unknown, missing or out of range. One line."""


@dataclass(frozen=True)
class Settings:
    """Settings of one process.

    Attributes:
        model: directory with manifest.json and head.onnx.
        slot: name of the server's slot; only shown.
        mongodb_uri: database with the word vectors.
        mongodb_timeout_ms: time limit of one database operation.
        cache_words: number of known words that are cached, and of unknown words.
        max_texts: texts per request.
        max_chars: characters per text.
        max_body_bytes: bytes of a request's body.
        threads: threads of the process, as its server is configured.
        max_unknown_words: distinct unknown words per request.
        perspective: of the Perspective API.
        keys_file: file with the hashes of the API keys, which need not exist; None: there are none.
        require_key: whether a request without a valid key is refused.
        facts_file: what toxctl writes for the metrics (`metrics.facts`); None: there is nothing.
        shared_directory: where all workers of the slot keep their metrics; None: there is one.
    """

    model: Path
    slot: str = "none"
    mongodb_uri: str = DEFAULT_MONGODB_URI
    mongodb_timeout_ms: int = 2000
    cache_words: int = 20000
    max_texts: int = 32
    max_chars: int = 20000
    max_body_bytes: int = 1048576
    threads: int = 320
    max_unknown_words: int = 4000
    perspective: PerspectiveSettings = field(default_factory=PerspectiveSettings)
    keys_file: Path | None = None
    require_key: bool = False
    facts_file: Path | None = None
    shared_directory: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Settings from `TOX_COM_DET_*` and `SLOT_*`.

        Raises:
            SettingsError: a name is unknown, TOX_COM_DET_MODEL is missing, or a value is out of
                range.
        """
        given = {
            name.removeprefix(PREFIX): value
            for name, value in environment.items()
            if name.startswith(PREFIX)
        }
        for name in sorted(given.keys() - _DEFAULTS.keys()):
            known = ", ".join(PREFIX + key for key in _DEFAULTS)
            raise SettingsError(f"{PREFIX}{name} is not a setting; the settings are {known}")
        if not given.get("MODEL"):
            raise SettingsError(
                f"{PREFIX}MODEL is not set: set it to the model's directory, which contains"
                " manifest.json and head.onnx"
            )
        try:
            perspective = PerspectiveSettings.from_environment(environment)
        except PerspectiveSettingsError as error:
            raise SettingsError(str(error)) from None
        return cls(
            model=Path(given["MODEL"]),
            slot=_matching(given, "SLOT", r"[a-z0-9_-]{1,32}"),
            mongodb_uri=mongodb_uri(environment),
            mongodb_timeout_ms=_integer(given, "MONGODB_TIMEOUT_MS", 10, 60_000),
            cache_words=_integer(given, "CACHE_WORDS", 0, 10_000_000),
            max_texts=_integer(given, "MAX_TEXTS", 1, 1000),
            max_chars=_integer(given, "MAX_CHARS", 1, 1_000_000),
            max_body_bytes=_integer(given, "MAX_BODY_BYTES", 64, 4 * 1024 * 1024),
            threads=_unprefixed(environment, THREADS, 1, 1000),
            max_unknown_words=_unprefixed(environment, MAX_UNKNOWN_WORDS, 1, 1_000_000),
            perspective=perspective,
            keys_file=_path(environment, KEYS_FILE),
            require_key=_flag(environment, REQUIRE_KEY),
            facts_file=_path(environment, FACTS_FILE),
            shared_directory=_path(environment, SHARED_DIRECTORY),
        )


def mongodb_uri(environment: Mapping[str, str]) -> str:
    """The database's URI, the only setting that restoring needs.

    Raises:
        SettingsError: it is not a MongoDB URI, or PyMongo would ignore a part of it. The value is
            not shown, it may contain a password.
    """
    uri = environment.get(PREFIX + "MONGODB_URI", DEFAULT_MONGODB_URI)
    if not uri.startswith(("mongodb://", "mongodb+srv://")):
        raise SettingsError(f"{PREFIX}MONGODB_URI does not start with mongodb://")
    try:
        check_uri(uri)
    except UriError as error:
        raise SettingsError(
            f"{PREFIX}MONGODB_URI is not a MongoDB URI that PyMongo takes ({error}):"
            " percent-encode special characters in user and password, use ports from 1 to 65535"
            " and only options that PyMongo knows, each once"
        ) from error
    return uri


def _matching(given: Mapping[str, str], name: str, pattern: str) -> str:
    value = given.get(name, _DEFAULTS[name]) or ""
    if re.fullmatch(pattern, value) is None:
        raise SettingsError(
            f"{PREFIX}{name} is {value!r}, expected a string that matches {pattern}"
        )
    return value


def _integer(given: Mapping[str, str], name: str, low: int, high: int) -> int:
    value = given.get(name, _DEFAULTS[name]) or ""
    return _in_range(PREFIX + name, value, low, high)


def _unprefixed(environment: Mapping[str, str], name: str, low: int, high: int) -> int:
    return _in_range(name, environment.get(name, _UNPREFIXED_DEFAULTS[name]), low, high)


def _path(environment: Mapping[str, str], name: str) -> Path | None:
    value = environment.get(name, "")
    if value and not value.startswith("/"):
        raise SettingsError(f"{name} is {value!r}, expected an absolute path")
    return Path(value) if value else None


def _flag(environment: Mapping[str, str], name: str) -> bool:
    value = environment.get(name, "0")
    if value not in ("0", "1"):
        raise SettingsError(f"{name} is {value!r}, expected 0 or 1")
    return value == "1"


def _in_range(name: str, value: str, low: int, high: int) -> int:
    if re.fullmatch(r"[0-9]{1,12}", value) is None or not low <= int(value) <= high:
        raise SettingsError(f"{name} is {value!r}, expected an integer from {low} to {high}")
    return int(value)
