"""The predictor in LitServe, as its documentation says: one worker on the processor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import litserve

from bench.serving.servers.predictor import Model


class Api(litserve.LitAPI):
    """Decodes, predicts and encodes, each in the method that LitServe has for it."""

    def __init__(self, bundle: Path) -> None:
        super().__init__(api_path="/predict")
        self._bundle = bundle

    def setup(self, device: str) -> None:
        """Called once in the worker."""
        self._model = Model(self._bundle)

    def decode_request(self, request):  # LitServe takes a type here for the form of the body
        """The texts of a request."""
        return request["texts"] if "texts" in request else [request["text"]]

    def predict(self, texts: list[str]) -> list[dict[str, Any]]:
        """The results of the texts."""
        return self._model.predict(texts)

    def encode_response(self, results: list[dict[str, Any]]) -> dict[str, Any]:
        """The response's content."""
        return {"results": results}


if __name__ == "__main__":
    api = Api(Path(sys.argv[1]))
    server = litserve.LitServer(api, accelerator="cpu")
    server.run(
        host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False, log_level="warning"
    )
