"""`POST /v1/predict`: scores, the words that the model read, and what each contributes."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from flask import Flask, Response, request

from tox_com_det.http.access import admit
from tox_com_det.http.body import MEDIA_TYPE, parse_json
from tox_com_det.http.forms import (
    ExplainedWord,
    Model,
    PredictResponse,
    Result,
    Words,
    predict_request,
    validated,
)
from tox_com_det.http.request_body import read_body
from tox_com_det.http.turns import Turns
from tox_com_det.keys.access import Access
from tox_com_det.keys.presented import own_keys
from tox_com_det.model.explain import Explanation
from tox_com_det.model.predictor import Predictor
from tox_com_det.settings import Settings

# Windows that are scored for explanations: as many as the longest request without one has, 32 texts
# of 16 windows.
MOST_EXPLAINED = 512
# What differs by less is noise of single precision.
_DIGITS = 6
# Half of a pair, as a client that cuts text sends it, is not Unicode.
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def add_v1(
    app: Flask, settings: Settings, predictor: Predictor, turns: Turns, access: Access
) -> None:
    """Add the route to an app."""
    form = predict_request(settings.max_texts, settings.max_chars)
    scorer = Scorer(predictor, settings.max_unknown_words)

    @app.post("/v1/predict")
    def predict_v1() -> Response:
        client = admit(access, own_keys(lambda name: request.headers.get(name, "")))
        with turns.turn(client.name):
            # Inside: bodies that wait stay in nginx and not in this process's memory.
            charset = request.mimetype_params.get("charset")
            wanted = validated(parse_json(read_body(request), request.mimetype, charset), form)
            texts = [wanted.text] if isinstance(wanted.text, str) else wanted.texts
            answer = msgspec.json.encode(scorer.answer(texts or [], wanted.explain))
        return Response(answer, mimetype=MEDIA_TYPE)


class Scorer:
    """Answers without HTTP, for the route and for the page."""

    def __init__(self, predictor: Predictor, max_unknown_words: int) -> None:
        self._predictor = predictor
        self._max_unknown_words = max_unknown_words
        manifest = predictor.manifest
        self._labels = manifest.labels
        self._model = Model(manifest.name, manifest.model_version)

    def answer(self, texts: Sequence[str], explain: bool) -> PredictResponse:
        """The scores of texts, at least one of them.

        Raises what `Predictor.look_up`, `score` and `explain` raise.
        """
        texts = [_LONE_SURROGATE.sub("\ufffd", text) for text in texts]
        words = self._predictor.look_up(texts, self._max_unknown_words)
        # First, as it refuses what is too much before anything is scored.
        explanations: Sequence[Explanation | None] = [None] * len(texts)
        if explain:
            explanations = self._predictor.explain(texts, words, MOST_EXPLAINED)
        predictions = self._predictor.score(words)
        results = []
        for one, tokens, found in zip(predictions, words.tokens, explanations, strict=True):
            unknown = list(dict.fromkeys(word for word in tokens if word not in words.rows))
            result = Result(
                dict(zip(self._labels, one.scores, strict=True)),
                Words(one.known, one.unknown, one.used, one.cut, unknown),
            )
            if found is not None:
                result = msgspec.structs.replace(result, explanation=self._explained(found))
            results.append(result)
        return PredictResponse(self._model, results)

    def _explained(self, explanation: Explanation) -> list[ExplainedWord]:
        return [
            ExplainedWord(
                one.word,
                one.known,
                list(explanation.places[one.word]),
                {
                    label: round(score, _DIGITS)
                    for label, score in zip(self._labels, one.scores, strict=True)
                },
            )
            for one in explanation.words
        ]
