"""Reads the parts of a manifest out of parsed JSON, and checks each of them.

Every function raises ManifestError with the path of the key and what was expected.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import replace
from typing import Any, cast

from tox_com_det.model.json_object import JsonObject, is_finite, is_integer, is_text
from tox_com_det.model.manifest_parts import (
    BYTES_PER_VALUE,
    HEAD_FILE,
    Embedding,
    FileEntry,
    GoldenOutput,
    GoldenOutputs,
    ManifestError,
    SequenceRules,
)
from tox_com_det.model.normalization import NORMALIZATIONS
from tox_com_det.model.score_map import MOST_POINTS, ScoreMap
from tox_com_det.model.tokenizer import STYLES, Side, TokenizerRules
from tox_com_det.model.windows import MOST_WINDOWS, POOLINGS, Windows

DEFAULT_LANGUAGES = ("en",)
LANGUAGE = r"[a-z]{2,3}(-[A-Za-z]{2,8})?"
ATTRIBUTE = r"[A-Z][A-Z0-9_]{0,63}"
_SHA256 = r"[0-9a-f]{64}"


def read_labels(top: JsonObject) -> tuple[str, ...]:
    """The names of the scores: at least one, each once."""
    labels = top.items("labels", 1)
    if not all(is_text(label) and label for label in labels):
        raise top.error("labels", "an array of strings that are not empty")
    if len(set(labels)) != len(labels):
        raise top.error("labels", "each label once")
    return tuple(labels)


def read_languages(top: JsonObject) -> tuple[str, ...]:
    """The languages that the model was trained for; English where the manifest names none."""
    if "languages" not in top:
        return DEFAULT_LANGUAGES
    languages = top.items("languages", 1)
    if not all(isinstance(one, str) and re.fullmatch(LANGUAGE, one) for one in languages):
        raise top.error("languages", "an array of codes such as en or hi-Latn")
    if len(set(languages)) != len(languages):
        raise top.error("languages", "each language once")
    return tuple(languages)


def read_score_maps(top: JsonObject) -> dict[str, ScoreMap]:
    """What the Perspective API makes of the scores, by attribute; {} where there are no maps."""
    if "score_maps" not in top:
        return {}
    maps = {}
    for name in top.mapping("score_maps"):
        if re.fullmatch(ATTRIBUTE, name) is None:
            raise top.error("score_maps", "attributes such as TOXICITY as keys")
        points = JsonObject(top.mapping("score_maps")[name], f"score_maps.{name}", "x y")
        x, y = (_ascending(points, key) for key in "xy")
        if len(x) != len(y) or len(x) > MOST_POINTS:
            raise ManifestError(
                f"score_maps.{name} has {len(x)} x and {len(y)} y, expected as many of each,"
                f" at most {MOST_POINTS}"
            )
        if len(set(x)) != len(x):
            raise points.error("x", "each number once")
        maps[name] = ScoreMap(x, y)
    return maps


def _ascending(points: JsonObject, key: str) -> tuple[float, ...]:
    numbers = points.items(key, 2)
    if not all(is_finite(one) and 0 <= one <= 1 for one in numbers) or sorted(numbers) != numbers:
        raise points.error(key, "numbers from 0 to 1 in ascending order")
    return tuple(numbers)


def read_sequence(top: JsonObject) -> SequenceRules:
    """Length and sides of the sequence, and the windows of a longer text where there are any."""
    data = top.child("sequence", "length padding truncating", "windows")
    length = data.integer("length", 1, 100_000)
    return SequenceRules(
        length,
        cast(Side, data.matching("padding", "pre|post")),
        cast(Side, data.matching("truncating", "pre|post")),
        _windows(data.child("windows", "most stride pooling"), length)
        if "windows" in data
        else None,
    )


def _windows(data: JsonObject, length: int) -> Windows:
    return Windows(
        data.integer("most", 2, MOST_WINDOWS),
        data.integer("stride", 1, length),
        data.one_of("pooling", POOLINGS),
    )


def read_tokenizer(top: JsonObject) -> TokenizerRules:
    """The settings of Keras' Tokenizer or TextVectorization, and what comes before it.

    Where neither is named, it is the Tokenizer, and nothing comes before it.
    """
    data = top.child(
        "tokenizer", "num_words filters lower split char_level oov_token", "normalization style"
    )
    rules = TokenizerRules(
        num_words=data.value(
            "num_words", lambda v: v is None or (is_integer(v) and v > 0), "null or an integer >= 1"
        ),
        filters=data.string("filters"),
        lower=data.boolean("lower"),
        split=data.string("split", empty=False),
        char_level=data.boolean("char_level"),
        oov_token=data.string("oov_token", empty=False, null=True),
        normalization=data.one_of("normalization", NORMALIZATIONS)
        if "normalization" in data
        else "keras",
    )
    if "style" not in data:
        return rules
    try:
        return replace(rules, style=data.one_of("style", STYLES))
    except ValueError as error:
        raise ManifestError(f"tokenizer: {error}") from error


def read_files(top: JsonObject) -> dict[str, FileEntry]:
    """The bundle's one file beside the manifest, head.onnx."""
    entry = top.child("files", HEAD_FILE).child(HEAD_FILE, "sha256 bytes")
    return {HEAD_FILE: FileEntry(entry.matching("sha256", _SHA256), entry.integer("bytes", 1))}


def read_embedding(top: JsonObject, tokenizer: TokenizerRules) -> Embedding:
    """The embedding; its collection is named by its checksum."""
    data = top.child("embedding", "database collection count dimension dtype checksum special_rows")
    dtype = data.value(
        "dtype", lambda v: isinstance(v, str) and v in BYTES_PER_VALUE, "float32, float16 or index"
    )
    dimension = data.integer("dimension", 1, 1 if dtype == "index" else 100_000)
    checksum = data.matching("checksum", f"sha256:{_SHA256}")
    collection = data.matching("collection", r"[a-z0-9_]{1,60}_[0-9a-f]{12}")
    digits = checksum.removeprefix("sha256:")[:12]
    if not collection.endswith("_" + digits):
        raise data.error("collection", f"a name that ends with the checksum's {digits}")
    return Embedding(
        database=data.matching("database", r"[A-Za-z0-9_-]{1,60}"),
        collection=collection,
        count=data.integer("count", 1),
        dimension=dimension,
        dtype=dtype,
        checksum=checksum,
        special_rows=_special_rows(data, dimension * BYTES_PER_VALUE[dtype], tokenizer),
    )


def _special_rows(data: JsonObject, size: int, tokenizer: TokenizerRules) -> dict[int, bytes]:
    """Rows of `size` bytes that belong to no word, by index."""
    rows: dict[int, bytes] = {}
    for key, value in data.mapping("special_rows").items():
        if re.fullmatch(r"0|[1-9][0-9]{0,8}", key) is None:
            raise data.error("special_rows", "indices as keys")
        path = f"{data.path('special_rows')}.{key}"
        try:
            row = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError, TypeError) as error:
            raise ManifestError(f"{path} is not base64") from error
        if len(row) != size:
            raise ManifestError(f"{path} has {len(row)} bytes, expected {size}")
        rows[int(key)] = row
    if 0 not in rows:
        raise ManifestError(f"{data.path('special_rows')} has no row 0 (padding)")
    if len(rows) != (1 if tokenizer.oov_token is None else 2):
        raise ManifestError(
            f"{data.path('special_rows')} has the rows {sorted(rows)}, expected row 0 and, only"
            " where there is an oov_token, that token's row"
        )
    return rows


def read_golden_outputs(top: JsonObject, key: str, size: int) -> GoldenOutputs:
    """The golden outputs below `key`, with `size` scores each."""
    data = top.child(key, "tolerance cases reference_max_difference")
    cases = []
    for number, item in enumerate(data.items("cases", 1)):
        path = f"{data.path('cases')}[{number}]"
        case = JsonObject(item, path, "text scores reference")
        reference = item["reference"]
        cases.append(
            GoldenOutput(
                case.string("text"),
                _scores(item["scores"], size, f"{path}.scores"),
                None if reference is None else _scores(reference, size, f"{path}.reference"),
            )
        )
    return GoldenOutputs(
        tolerance=float(
            data.value("tolerance", lambda v: is_finite(v) and 0 < v < 1, "a number in (0, 1)")
        ),
        cases=tuple(cases),
        reference_max_difference=data.value(
            "reference_max_difference",
            lambda v: v is None or (is_finite(v) and v >= 0),
            "null or a number >= 0",
        ),
    )


def _scores(value: Any, size: int, path: str) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) != size or not all(map(is_finite, value)):
        raise ManifestError(f"{path} is not an array of {size} finite numbers")
    return tuple(float(score) for score in value)


def read_dead_positions(top: JsonObject, length: int) -> tuple[int, ...]:
    """Positions of the sequence without effect on any score."""
    positions = top.items("dead_positions")
    if not all(is_integer(position) and 0 <= position < length for position in positions):
        raise top.error("dead_positions", f"an array of positions below {length}")
    return tuple(positions)


def read_built_with(top: JsonObject) -> dict[str, str]:
    """Versions of the tools that built the bundle, by name."""
    tools = top.mapping("built_with")
    if not all(isinstance(version, str) for version in tools.values()):
        raise top.error("built_with", "an object of strings")
    return dict(tools)
