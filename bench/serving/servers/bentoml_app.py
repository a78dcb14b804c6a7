"""The predictor in BentoML, as its documentation says: a service class with one worker."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bentoml

from bench.serving.servers.predictor import Model


@bentoml.service(workers=1, traffic={"timeout": 60})
class Toxicity:
    """Started by `bentoml serve`; the bundle is named by the environment."""

    def __init__(self) -> None:
        self._model = Model(Path(os.environ["BENCH_BUNDLE"]))

    @bentoml.api
    def predict(self, text: str = "", texts: list[str] | None = None) -> dict[str, Any]:
        """The results of one text or of several."""
        return {"results": self._model.predict(texts or [text])}
