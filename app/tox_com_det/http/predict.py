"""`POST /predict`: from a body to the response's."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, request

from tox_com_det.http.access import admit
from tox_com_det.http.body import MEDIA_TYPE, parse_predict
from tox_com_det.http.direct import Environ, Route, header_of, raise_failed
from tox_com_det.http.json_bytes import json_bytes
from tox_com_det.http.request_body import read_body
from tox_com_det.http.turns import Turns
from tox_com_det.keys.access import Access
from tox_com_det.keys.presented import own_keys
from tox_com_det.model.predictor import Prediction, Predictor
from tox_com_det.model.workers import Workers
from tox_com_det.settings import Settings

PATH = "/predict"


class PredictAnswers:
    """Answers without HTTP."""

    def __init__(self, settings: Settings, predictor: Predictor) -> None:
        self._settings = settings
        self._predictor = predictor
        self._labels = predictor.manifest.labels
        self._model = predictor.manifest.model_version

    def answer(
        self, body: bytes, media_type: str = MEDIA_TYPE, charset: str | None = None
    ) -> bytes:
        """The response to a body.

        Raises what `parse_predict` and `Predictor.predict` raise.
        """
        settings = self._settings
        wanted = parse_predict(body, media_type, charset, settings.max_texts, settings.max_chars)
        predictions = self._predictor.predict(wanted.texts, settings.max_unknown_words)
        if wanted.single:
            content = {"model": self._model, **self._result(predictions[0])}
        else:
            content = {"model": self._model, "results": list(map(self._result, predictions))}
        return json_bytes(content) + b"\n"

    def _result(self, one: Prediction) -> dict[str, Any]:
        words = {"known": one.known, "unknown": one.unknown, "used": one.used}
        if one.cut:
            words["cut"] = one.cut
        return {"scores": dict(zip(self._labels, one.scores, strict=True)), "words": words}


def add_predict(
    app: Flask,
    answers: PredictAnswers,
    turns: Turns,
    access: Access,
    workers: Workers,
    headers: dict[str, str],
) -> Route:
    """Add the route to an app; returns the direct one, whose responses have `headers`."""

    @app.post(PATH)
    def predict() -> Response:
        raise_failed()
        client = admit(access, own_keys(lambda name: request.headers.get(name, "")))
        with turns.turn(client.name):
            # Inside: bodies that wait stay in nginx and not in this process's memory.
            body, media_type = read_body(request), request.mimetype
            charset = request.mimetype_params.get("charset")
            answer = workers.run(lambda: answers.answer(body, media_type, charset))
        return Response(answer, mimetype=MEDIA_TYPE)

    return Route(PATH, _takes, _keys, answers.answer, {"Content-Type": MEDIA_TYPE, **headers})


def _takes(environ: Environ) -> bool:
    return environ.get("CONTENT_TYPE") == MEDIA_TYPE


def _keys(environ: Environ) -> list[str]:
    return own_keys(header_of(environ))
