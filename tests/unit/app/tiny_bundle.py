"""A complete bundle of a few words, made without the laptop's code."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bson
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tox_com_det.model.manifest import Manifest, content_version
from tox_com_det.model.tokenizer import DEFAULT_FILTERS
from tox_com_det.store.checksum import embedding_checksum

LABELS = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
WORDS = ("you", "are", "great", "awful", "and", "my", "naïve", "work", "ß", "日本")
LENGTH, DIMENSION = 6, 4


@dataclass
class TinyBundle:
    """Builds a bundle; change a field before `write` to make a faulty one."""

    words: tuple[str, ...] = WORDS
    length: int = LENGTH
    dimension: int = DIMENSION
    labels: tuple[str, ...] = LABELS
    database: str = "word_embeddings"
    tokenizer: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    head_input: str = "vectors"
    seed: int = 7
    dtype: str = "float32"
    masked: bool = False
    format_version: int = 2
    more: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        random = np.random.default_rng(self.seed)
        self.index = {word: place for place, word in enumerate(self.words, 1)}
        vectors = random.normal(size=(len(self.words), self.dimension)).astype("<f4")
        self.vectors = dict(zip(self.words, vectors, strict=True))
        self.padding = random.normal(size=self.dimension).astype("<f4")
        self.kernel = random.normal(size=(self.dimension, len(self.labels))).astype("<f4") * 3
        self.bias = random.normal(size=len(self.labels)).astype("<f4")

    def rows(self) -> list[tuple[str, int, bytes]]:
        """Rows in the order of the dump."""
        order = sorted(self.words, key=lambda word: word.encode())
        return [(word, self.index[word], self._row(self.index[word], word)) for word in order]

    def _row(self, index: int, word: str | None) -> bytes:
        """A row as it is stored; of the padding where there is no word."""
        if self.dtype == "index":
            return struct.pack("<i", index)
        vector = self.padding if word is None else self.vectors[word]
        return vector.astype({"float32": "<f4", "float16": "<f2"}[self.dtype]).tobytes()

    def documents(self) -> list[dict[str, Any]]:
        """The rows as they are stored."""
        documents = [{"_id": w, "index": i, "vector": v} for w, i, v in self.rows()]
        if self.dtype == "index":
            for document in documents:
                del document["vector"]
        return documents

    @property
    def checksum(self) -> str:
        """Of the rows."""
        return embedding_checksum(self.rows())

    @property
    def collection(self) -> str:
        """Name of the collection."""
        return f"tiny_{self.checksum[7:19]}"

    def head(self) -> bytes:
        """ONNX: mean over the length (padding left out where it masks), dense, sigmoid."""
        inputs = [(self.head_input, TensorProto.FLOAT, ["batch", self.length, self.dimension])]
        front = []
        weights = {"kernel": self.kernel, "bias": self.bias}
        if self.dtype == "index":
            inputs = [("indices", TensorProto.INT32, ["batch", self.length])]
            weights["matrix"] = np.stack([self.padding, *self.vectors.values()])
            front.append(helper.make_node("Gather", ["matrix", "indices"], [self.head_input]))
        if self.masked:
            inputs.append(("mask", TensorProto.FLOAT, ["batch", self.length]))
            weights["last"] = np.array([2], np.int64)
            front.append(helper.make_node("Unsqueeze", ["mask", "last"], ["column"]))
            front.append(helper.make_node("Mul", [self.head_input, "column"], ["kept"]))
        averaged = "kept" if self.masked else self.head_input
        graph = helper.make_graph(
            [
                *front,
                helper.make_node("ReduceMean", [averaged], ["mean"], axes=[1], keepdims=0),
                helper.make_node("MatMul", ["mean", "kernel"], ["product"]),
                helper.make_node("Add", ["product", "bias"], ["logits"]),
                helper.make_node("Sigmoid", ["logits"], ["scores"]),
            ],
            "tiny",
            [helper.make_tensor_value_info(*one) for one in inputs],
            [
                helper.make_tensor_value_info(
                    "scores", TensorProto.FLOAT, ["batch", len(self.labels)]
                )
            ],
            [numpy_helper.from_array(values, name) for name, values in weights.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
        metadata = {
            "embedding_checksum": self.checksum,
            "labels": json.dumps(self.labels),
            "sequence_length": str(self.length),
        }
        onnx.helper.set_model_props(model, metadata | self.metadata)
        return model.SerializeToString()

    def scores(self, words: list[str]) -> list[float]:
        """Scores of known words in order, computed with NumPy."""
        kept = [self.vectors[word] for word in words][-self.length :]
        padding = self.padding * (0 if self.masked else 1)
        rows = [padding] * (self.length - len(kept)) + kept
        if self.dtype == "float16":
            rows = [row.astype("<f2") for row in rows]
        logits = np.mean(np.array(rows, np.float64), axis=0) @ self.kernel + self.bias
        return [float(score) for score in 1 / (1 + np.exp(-logits))]

    def manifest(self) -> dict[str, Any]:
        """manifest.json as an object."""
        head = self.head()
        special = {"0": base64.b64encode(self._row(0, None)).decode()}
        data: dict[str, Any] = {
            "format_version": self.format_version,
            "model_version": "",
            "name": "tiny",
            "files": {
                "head.onnx": {"sha256": hashlib.sha256(head).hexdigest(), "bytes": len(head)}
            },
            "labels": list(self.labels),
            "sequence": {"length": self.length, "padding": "pre", "truncating": "pre"},
            "tokenizer": {
                "num_words": None,
                "filters": DEFAULT_FILTERS,
                "lower": True,
                "split": " ",
                "char_level": False,
                "oov_token": None,
                **self.tokenizer,
            },
            "embedding": {
                "database": self.database,
                "collection": self.collection,
                "count": len(self.words),
                "dimension": 1 if self.dtype == "index" else self.dimension,
                "dtype": self.dtype,
                "checksum": self.checksum,
                "special_rows": special,
            },
            {1: "known_answers", 2: "golden_outputs"}[self.format_version]: {
                "tolerance": 1e-4,
                "cases": [
                    {"text": " ".join(words), "scores": self.scores(words), "reference": None}
                    for words in (["you", "are", "great"], ["awful"])
                ],
                "reference_max_difference": None,
            },
            "architecture": {"class_name": "Sequential", "config": {"layers": []}},
            "dead_positions": [],
            "built_with": {"model_build": "0.1.0"},
            **self.more,
        }
        data["model_version"] = content_version(data)
        return data

    def load(self) -> Manifest:
        """The manifest, checked."""
        return Manifest.from_dict(self.manifest())

    def write(self, directory: Path) -> Path:
        """Write the bundle below `directory` and return it."""
        dump = directory / "dump" / self.database
        dump.mkdir(parents=True)
        (directory / "manifest.json").write_text(json.dumps(self.manifest()), encoding="utf-8")
        (directory / "head.onnx").write_bytes(self.head())
        documents = b"".join(bson.encode(document) for document in self.documents())
        (dump / f"{self.collection}.bson").write_bytes(documents)
        metadata = {
            "options": {},
            "indexes": [{"v": 2, "key": {"_id": 1}, "name": "_id_"}],
            "collectionName": self.collection,
            "type": "collection",
        }
        (dump / f"{self.collection}.metadata.json").write_text(json.dumps(metadata))
        return directory
