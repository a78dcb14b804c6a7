"""This project's predictor with the vectors in memory, for servers that have no database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from controller.model_build.dump_rows import DumpRows
from tox_com_det.model.bundle import read_head, read_manifest
from tox_com_det.model.head import Head
from tox_com_det.model.predictor import Prediction, Predictor
from tox_com_det.store.vectors import Vectors


class Model:
    """Answers a request of POST /predict with the same scores as this service."""

    def __init__(self, bundle: Path) -> None:
        manifest = read_manifest(bundle)
        head = Head(read_head(bundle, manifest), manifest)
        vectors = Vectors(
            DumpRows(bundle, manifest.embedding), manifest.tokenizer, manifest.embedding.count
        )
        self._predictor = Predictor(manifest, head, vectors)
        self._labels = manifest.labels

    def predict(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """The result of each text."""
        return [self._result(one) for one in self._predictor.predict(texts)]

    def _result(self, one: Prediction) -> dict[str, Any]:
        return {"scores": dict(zip(self._labels, one.scores, strict=True))}
