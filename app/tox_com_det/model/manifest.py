"""A bundle's `manifest.json`: one strict reader for the laptop and for the server.

Standard library only, so that a deploy can read a manifest without numpy or ONNX Runtime.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tox_com_det import strict_json
from tox_com_det.model import manifest_reader as reader
from tox_com_det.model.content_version import content_version
from tox_com_det.model.json_object import JsonObject, is_integer, shown
from tox_com_det.model.manifest_parts import (
    HEAD_FILE,
    Embedding,
    FileEntry,
    GoldenOutput,
    GoldenOutputs,
    ManifestError,
    SequenceRules,
)
from tox_com_det.model.score_map import ScoreMap
from tox_com_det.model.tokenizer import TokenizerRules

__all__ = [
    "FORMAT_VERSION",
    "HEAD_FILE",
    "Embedding",
    "FileEntry",
    "GoldenOutput",
    "GoldenOutputs",
    "Manifest",
    "ManifestError",
    "SequenceRules",
    "content_version",
]

# What `build-model` writes. Format 1, which stays readable, calls golden outputs `known_answers`.
FORMAT_VERSION = 2
_GOLDEN_KEYS = {1: "known_answers", 2: "golden_outputs"}
_MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Manifest:
    """A checked manifest: one model, its embedding and the golden outputs that prove it.

    `languages` and `score_maps` are what the Perspective API needs of a model. They are optional in
    the file, and not written where they say nothing, so that older apps read it.
    """

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
    languages: tuple[str, ...] = reader.DEFAULT_LANGUAGES
    score_maps: Mapping[str, ScoreMap] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str | Path) -> Manifest:
        """Read and check a manifest file.

        Raises:
            ManifestError: unreadable, not JSON, or not a manifest of a format that is read.
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
            data = strict_json.loads(text)
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
        if not is_integer(version) or version not in _GOLDEN_KEYS:
            raise ManifestError(
                f"format_version is {shown(version)}, this release reads"
                f" {' and '.join(map(str, _GOLDEN_KEYS))}: build the bundle again with"
                " `fab build-model`"
            )
        golden_key = _GOLDEN_KEYS[version]
        top = JsonObject(
            data,
            "",
            "format_version model_version name files labels sequence tokenizer embedding"
            f" {golden_key} architecture dead_positions built_with",
            optional="languages score_maps",
        )
        labels = reader.read_labels(top)
        sequence = reader.read_sequence(top)
        tokenizer = reader.read_tokenizer(top)
        manifest = cls(
            format_version=version,
            model_version=top.matching("model_version", r"[0-9a-f]{12}"),
            name=top.matching("name", r"[a-z0-9_-]{1,40}"),
            files=reader.read_files(top),
            labels=labels,
            sequence=sequence,
            tokenizer=tokenizer,
            embedding=reader.read_embedding(top, tokenizer),
            golden_outputs=reader.read_golden_outputs(top, golden_key, len(labels)),
            architecture=top.mapping("architecture"),
            dead_positions=reader.read_dead_positions(top, sequence.length),
            built_with=reader.read_built_with(top),
            languages=reader.read_languages(top),
            score_maps=reader.read_score_maps(top),
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
                **({"windows": asdict(sequence.windows)} if sequence.windows else {}),
            },
            "tokenizer": {
                "num_words": rules.num_words,
                "filters": rules.filters,
                "lower": rules.lower,
                "split": rules.split,
                "char_level": rules.char_level,
                "oov_token": rules.oov_token,
                **self._not_as_by_default(),
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
            **self._for_perspective(),
        }

    def _not_as_by_default(self) -> dict[str, str]:
        """Keys of the tokenizer that older apps do not read."""
        rules = self.tokenizer
        named = {
            "normalization": (rules.normalization, "keras"),
            "style": (rules.style, "tokenizer"),
        }
        return {key: value for key, (value, default) in named.items() if value != default}

    def _for_perspective(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        if self.languages != reader.DEFAULT_LANGUAGES:
            result["languages"] = list(self.languages)
        if self.score_maps:
            result["score_maps"] = {
                name: {"x": list(one.x), "y": list(one.y)} for name, one in self.score_maps.items()
            }
        return result
