"""The form of a bundle's `manifest.json`: one strict reader for the laptop and for the server.

Standard library only, so that a deploy can read a manifest without numpy or ONNX Runtime.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tox_com_det.model.tokenizer import Side, TokenizerRules

# What `build-model` writes. Format 1, read for ever, names the golden outputs `known_answers`.
FORMAT_VERSION = 2
_GOLDEN_KEYS = {1: "known_answers", 2: "golden_outputs"}
HEAD_FILE = "head.onnx"
_MAX_BYTES = 64 * 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")
# `index`: the head holds the matrix (mode whole), a row is the word's index, dimension 1.
_BYTES_PER_VALUE = {"float32": 4, "float16": 2, "index": 4}


class ManifestError(ValueError):
    """The manifest is unreadable or not in the form of this version. One line."""


@dataclass(frozen=True)
class FileEntry:
    """A file of the bundle: its sha256 (64 hex) and size in bytes."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class SequenceRules:
    """Number of token places and the sides that are filled and cut."""

    length: int
    padding: Side
    truncating: Side


@dataclass(frozen=True)
class Embedding:
    """Where the word vectors are and what they must be.

    `special_rows` maps an index that belongs to no word to its row in little-endian bytes.
    `dtype` is `float32` or `float16` for vectors, and `index` where the head holds the matrix: a
    row then is the word's index as int32, and documents have no vector.
    """

    database: str
    collection: str
    count: int
    dimension: int
    dtype: str
    checksum: str
    special_rows: Mapping[int, bytes]

    @property
    def vector_bytes(self) -> int:
        """Bytes of one vector."""
        return self.dimension * _BYTES_PER_VALUE[self.dtype]


@dataclass(frozen=True)
class GoldenOutput:
    """A text, the bundle's own scores for it, and Keras' where they were asked for."""

    text: str
    scores: tuple[float, ...]
    reference: tuple[float, ...] | None


@dataclass(frozen=True)
class GoldenOutputs:
    """The texts that gate a deploy; `tolerance` is an absolute difference of scores."""

    tolerance: float
    cases: tuple[GoldenOutput, ...]
    reference_max_difference: float | None


@dataclass(frozen=True)
class Manifest:
    """A checked manifest: one model, its embedding and the answers that prove it."""

    format_version: int
    model_version: str
    name: str
    files: Mapping[str, FileEntry]
    labels: tuple[str, ...]
    sequence: SequenceRules
    tokenizer: TokenizerRules
    embedding: Embedding
    golden_outputs: GoldenOutputs
    architecture: Mapping[str, Any]
    dead_positions: tuple[int, ...]
    built_with: Mapping[str, str]

    @classmethod
    def load(cls, path: str | Path) -> Manifest:
        """Read and check a manifest file.

        Raises:
            ManifestError: unreadable, not JSON, or not a manifest of this format version.
        """
        path = Path(path)
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise ManifestError(f"{path}: larger than {_MAX_BYTES} bytes, not a manifest")
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise ManifestError(f"{path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ManifestError(f"{path}: not UTF-8 (byte {error.start})") from error
        try:
            data = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise ManifestError(f"{path}: not JSON: {error}") from error
        try:
            return cls.from_dict(data)
        except ManifestError as error:
            raise ManifestError(f"{path}: {error}") from error

    @classmethod
    def from_dict(cls, data: Any) -> Manifest:
        """Check an object in the form of `manifest.json`.

        Raises:
            ManifestError: a key is missing, unknown or of the wrong type, a value contradicts
                another, or `model_version` is not the `content_version` of the object.
        """
        version = data.get("format_version") if isinstance(data, dict) else FORMAT_VERSION
        if not _is_int(version) or version not in _GOLDEN_KEYS:
            raise ManifestError(
                f"format_version is {version!r}, this release reads"
                f" {' and '.join(map(str, _GOLDEN_KEYS))}: build the bundle again with"
                " `fab build-model`"
            )
        golden_key = _GOLDEN_KEYS[version]
        top = _Object(
            data,
            "manifest",
            "format_version model_version name files labels sequence tokenizer embedding"
            f" {golden_key} architecture dead_positions built_with",
        )
        labels = _labels(top)
        sequence = _sequence(top)
        tokenizer = _tokenizer(top)
        manifest = cls(
            format_version=version,
            model_version=top.matching("model_version", r"[0-9a-f]{12}"),
            name=top.matching("name", r"[a-z0-9_-]{1,40}"),
            files=_files(top),
            labels=labels,
            sequence=sequence,
            tokenizer=tokenizer,
            embedding=_embedding(top, tokenizer),
            golden_outputs=_golden_outputs(top, golden_key, len(labels)),
            architecture=top.mapping("architecture"),
            dead_positions=_dead_positions(top, sequence.length),
            built_with=_built_with(top),
        )
        content = content_version(data)
        if manifest.model_version != content:
            raise ManifestError(
                f"model_version is {manifest.model_version}, its content makes {content}:"
                " the manifest was changed by hand, build it again with `fab build-model`"
            )
        return manifest

    def to_dict(self) -> dict[str, Any]:
        """The object in the form of `manifest.json`; `from_dict(m.to_dict()) == m`."""
        rules, sequence, embedding = self.tokenizer, self.sequence, self.embedding
        return {
            "format_version": self.format_version,
            "model_version": self.model_version,
            "name": self.name,
            "files": {
                name: {"sha256": entry.sha256, "bytes": entry.bytes}
                for name, entry in self.files.items()
            },
            "labels": list(self.labels),
            "sequence": {
                "length": sequence.length,
                "padding": sequence.padding,
                "truncating": sequence.truncating,
            },
            "tokenizer": {
                "num_words": rules.num_words,
                "filters": rules.filters,
                "lower": rules.lower,
                "split": rules.split,
                "char_level": rules.char_level,
                "oov_token": rules.oov_token,
            },
            "embedding": {
                "database": embedding.database,
                "collection": embedding.collection,
                "count": embedding.count,
                "dimension": embedding.dimension,
                "dtype": embedding.dtype,
                "checksum": embedding.checksum,
                "special_rows": {
                    str(index): base64.b64encode(row).decode("ascii")
                    for index, row in embedding.special_rows.items()
                },
            },
            _GOLDEN_KEYS[self.format_version]: {
                "tolerance": self.golden_outputs.tolerance,
                "cases": [
                    {
                        "text": case.text,
                        "scores": list(case.scores),
                        "reference": None if case.reference is None else list(case.reference),
                    }
                    for case in self.golden_outputs.cases
                ],
                "reference_max_difference": self.golden_outputs.reference_max_difference,
            },
            "architecture": dict(self.architecture),
            "dead_positions": list(self.dead_positions),
            "built_with": dict(self.built_with),
        }


def content_version(data: Mapping[str, Any]) -> str:
    """Version of a model: 12 hex digits over everything that decides an answer.

    `data` is an object in the form of `manifest.json`; `format_version`, `model_version`, the name,
    the golden outputs and the tools' versions do not count.

    Raises:
        ManifestError: a part that counts is missing.
    """
    try:
        embedding = data["embedding"]
        deciding = {
            "files": {HEAD_FILE: {"sha256": data["files"][HEAD_FILE]["sha256"]}},
            "labels": data["labels"],
            "sequence": data["sequence"],
            "tokenizer": data["tokenizer"],
            "embedding": {
                key: embedding[key] for key in ("checksum", "dimension", "dtype", "special_rows")
            },
        }
    except (KeyError, TypeError) as error:
        raise ManifestError(f"cannot compute the model version: {error} is missing") from error
    canonical = json.dumps(deciding, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()[:12]


class _Object:
    """A JSON object with exactly the named keys, read by type."""

    def __init__(self, data: Any, where: str, keys: str) -> None:
        if not isinstance(data, dict):
            raise ManifestError(f"{where} is not a JSON object")
        wanted = set(keys.split())
        for key in sorted(wanted - data.keys()):
            raise ManifestError(f"{where}: key {key!r} is missing")
        for key in sorted(map(str, data.keys() - wanted)):
            raise ManifestError(f"{where}: unknown key {key!r}")
        self._data = data
        self.where = where

    def name(self, key: str) -> str:
        return key if self.where == "manifest" else f"{self.where}.{key}"

    def fail(self, key: str, wanted: str) -> ManifestError:
        shown = repr(self._data[key])
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        return ManifestError(f"{self.name(key)} is {shown}, wanted {wanted}")

    def get(self, key: str, check: Callable[[Any], bool], wanted: str) -> Any:
        value = self._data[key]
        if not check(value):
            raise self.fail(key, wanted)
        return value

    def integer(self, key: str, low: int, high: int = 2**31 - 1) -> int:
        return self.get(key, lambda v: _is_int(v) and low <= v <= high, f"an integer >= {low}")

    def matching(self, key: str, pattern: str) -> str:
        return self.get(
            key,
            lambda v: isinstance(v, str) and re.fullmatch(pattern, v) is not None,
            f"text of the form {pattern}",
        )

    def string(self, key: str) -> str:
        return self.get(key, lambda v: isinstance(v, str), "text")

    def boolean(self, key: str) -> bool:
        return self.get(key, lambda v: isinstance(v, bool), "true or false")

    def mapping(self, key: str) -> dict[str, Any]:
        return self.get(key, lambda v: isinstance(v, dict), "an object")

    def items(self, key: str, low: int = 0) -> list[Any]:
        return self.get(
            key, lambda v: isinstance(v, list) and len(v) >= low, f"a list of at least {low}"
        )

    def child(self, key: str, keys: str) -> _Object:
        return _Object(self._data[key], self.name(key), keys)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_finite(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a JSON integer beyond any float
        return False


def _labels(top: _Object) -> tuple[str, ...]:
    labels = top.items("labels", 1)
    if not all(isinstance(label, str) and label for label in labels):
        raise top.fail("labels", "a list of texts")
    if len(set(labels)) != len(labels):
        raise top.fail("labels", "each label once")
    return tuple(labels)


def _sequence(top: _Object) -> SequenceRules:
    data = top.child("sequence", "length padding truncating")
    return SequenceRules(
        data.integer("length", 1, 100_000),
        cast(Side, data.matching("padding", "pre|post")),
        cast(Side, data.matching("truncating", "pre|post")),
    )


def _tokenizer(top: _Object) -> TokenizerRules:
    data = top.child("tokenizer", "num_words filters lower split char_level oov_token")
    return TokenizerRules(
        num_words=data.get(
            "num_words", lambda v: v is None or (_is_int(v) and v > 0), "null or an integer >= 1"
        ),
        filters=data.string("filters"),
        lower=data.boolean("lower"),
        split=data.get("split", lambda v: isinstance(v, str) and v != "", "text, not empty"),
        char_level=data.boolean("char_level"),
        oov_token=data.get(
            "oov_token",
            lambda v: v is None or (isinstance(v, str) and v != ""),
            "null or text, not empty",
        ),
    )


def _files(top: _Object) -> dict[str, FileEntry]:
    files = _Object(top.mapping("files"), "files", HEAD_FILE)
    entry = files.child(HEAD_FILE, "sha256 bytes")
    return {
        HEAD_FILE: FileEntry(entry.matching("sha256", _SHA256.pattern), entry.integer("bytes", 1))
    }


def _embedding(top: _Object, tokenizer: TokenizerRules) -> Embedding:
    data = top.child("embedding", "database collection count dimension dtype checksum special_rows")
    dtype = data.get(
        "dtype", lambda v: isinstance(v, str) and v in _BYTES_PER_VALUE, "float32, float16 or index"
    )
    dimension = data.integer("dimension", 1, 1 if dtype == "index" else 100_000)
    checksum = data.matching("checksum", f"sha256:{_SHA256.pattern}")
    collection = data.matching("collection", r"[a-z0-9_]{1,60}_[0-9a-f]{12}")
    if collection.rpartition("_")[2] != checksum.removeprefix("sha256:")[:12]:
        raise data.fail("collection", f"a name that ends with the checksum's {checksum[7:19]}")
    rows: dict[int, bytes] = {}
    for key, value in data.mapping("special_rows").items():
        if re.fullmatch(r"0|[1-9][0-9]{0,8}", key) is None:
            raise data.fail("special_rows", "indices as keys")
        try:
            row = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError, TypeError) as error:
            raise ManifestError(f"embedding.special_rows.{key} is not base64") from error
        if len(row) != dimension * _BYTES_PER_VALUE[dtype]:
            raise ManifestError(
                f"embedding.special_rows.{key} has {len(row)} bytes,"
                f" wanted {dimension * _BYTES_PER_VALUE[dtype]}"
            )
        rows[int(key)] = row
    if 0 not in rows:
        raise ManifestError("embedding.special_rows has no row 0 (padding)")
    others = len(rows) - 1
    if others != (0 if tokenizer.oov_token is None else 1):
        raise ManifestError(
            "embedding.special_rows must hold row 0 and, only where there is an oov_token,"
            f" that token's row: it holds {sorted(rows)}"
        )
    return Embedding(
        database=data.matching("database", r"[A-Za-z0-9_-]{1,60}"),
        collection=collection,
        count=data.integer("count", 1),
        dimension=dimension,
        dtype=dtype,
        checksum=checksum,
        special_rows=rows,
    )


def _scores(value: Any, size: int, where: str) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) != size or not all(map(_is_finite, value)):
        raise ManifestError(f"{where} is not a list of {size} finite numbers")
    return tuple(float(score) for score in value)


def _golden_outputs(top: _Object, key: str, size: int) -> GoldenOutputs:
    data = top.child(key, "tolerance cases reference_max_difference")
    cases = []
    for number, item in enumerate(data.items("cases", 1)):
        where = f"{key}.cases[{number}]"
        case = _Object(item, where, "text scores reference")
        reference = item["reference"]
        cases.append(
            GoldenOutput(
                case.string("text"),
                _scores(item["scores"], size, f"{where}.scores"),
                None if reference is None else _scores(reference, size, f"{where}.reference"),
            )
        )
    return GoldenOutputs(
        tolerance=float(
            data.get("tolerance", lambda v: _is_finite(v) and 0 < v < 1, "a number in (0, 1)")
        ),
        cases=tuple(cases),
        reference_max_difference=data.get(
            "reference_max_difference",
            lambda v: v is None or (_is_finite(v) and v >= 0),
            "null or a number >= 0",
        ),
    )


def _dead_positions(top: _Object, length: int) -> tuple[int, ...]:
    positions = top.items("dead_positions")
    if not all(_is_int(position) and 0 <= position < length for position in positions):
        raise top.fail("dead_positions", f"a list of positions below {length}")
    return tuple(positions)


def _built_with(top: _Object) -> dict[str, str]:
    tools = top.mapping("built_with")
    if not all(isinstance(version, str) for version in tools.values()):
        raise top.fail("built_with", "an object of texts")
    return dict(tools)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"key {key!r} occurs twice")
        result[key] = value
    return result


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")
