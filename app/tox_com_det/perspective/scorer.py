"""Answers to analyze requests: the spans of a comment, and of several comments, in one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tox_com_det.perspective.attributes import Attributes
from tox_com_det.perspective.errors import SHOWN, GoogleError, invalid
from tox_com_det.perspective.languages import Languages
from tox_com_det.perspective.messages import AnalyzeRequest, SuggestRequest, Wanted
from tox_com_det.perspective.settings import PerspectiveSettings
from tox_com_det.perspective.spans import Span, sentences, whole

# Of one comment, and of its spans for all attributes, which the response is made of; with more
# sentences, neighbours share a span. 32 attributes have them all.
MOST_SPANS = 128
MOST_SCORES = 4096
# Of an attribute's name with its version, which is in the response as well.
_MOST_NAME = 100


@dataclass(frozen=True)
class Analysis:
    """What one request needs: the scores of its whole text, the first of its spans or not.

    `detected`: languages of the text, the likeliest first.
    """

    request: AnalyzeRequest
    wanted: tuple[tuple[Wanted, int], ...]
    spans: tuple[Span, ...]
    detected: tuple[str, ...]

    @property
    def texts(self) -> list[str]:
        """The texts to score, each once."""
        return list(dict.fromkeys([self.request.text, *(span.text for span in self.spans)]))

    @property
    def scores(self) -> int:
        """How many scores of spans the response has."""
        return len(self.spans) * len(self.wanted)


class Scorer:
    """The API for one model, without HTTP."""

    def __init__(
        self, attributes: Attributes, languages: Languages, settings: PerspectiveSettings
    ) -> None:
        self._attributes = attributes
        self._languages = languages
        self._settings = settings

    def plan(self, request: AnalyzeRequest) -> Analysis:
        """Check what is requested.

        Raises:
            GoogleError: 400, an attribute, a score type or a language that the model does not have.
        """
        drop = request.drop_unsupported or self._settings.drop_unsupported
        detected = self._languages.detected(request.text)
        wanted = []
        for one in request.wanted:
            try:
                wanted.append((one, self._position(one)))
            except GoogleError:
                if not drop:
                    raise
        try:
            if wanted:
                # Once: the model has a language for all of its attributes, or for none.
                self._languages.check(wanted[0][0].name, request, detected)
        except GoogleError:
            if not drop:
                raise
            wanted = []
        text = request.text
        most = min(MOST_SPANS, MOST_SCORES // max(1, len(wanted)))
        spans = sentences(text, most) if request.by_sentence else [whole(text)]
        return Analysis(request, tuple(wanted), tuple(spans), detected)

    def suggested(self, request: SuggestRequest) -> tuple[dict[str, Any], tuple[str, ...]]:
        """The SuggestCommentScoreResponse, and the detected languages."""
        result: dict[str, Any] = {}
        if request.client_token is not None:
            result["clientToken"] = request.client_token
        if request.languages:
            result["requestedLanguages"] = list(request.languages)
        detected = self._languages.detected(request.text)
        if detected:
            result["detectedLanguages"] = list(detected)
        return result, detected

    def _position(self, wanted: Wanted) -> int:
        name = wanted.name[:SHOWN]
        position = self._attributes.position(wanted.name)
        if position is None or len(wanted.name) > _MOST_NAME:
            raise invalid(f"Unknown requested attribute: {name}")
        if wanted.score_type != "PROBABILITY":
            raise invalid(
                f"Requested score type {wanted.score_type[:SHOWN]} is not supported by attribute"
                f" {name}"
            )
        return position

    def answer(self, analysis: Analysis, scores: Mapping[str, Sequence[float]]) -> dict[str, Any]:
        """The AnalyzeCommentResponse; `scores` of each of the analysis' texts."""
        request = analysis.request
        summary = scores[request.text]
        result: dict[str, Any] = {"attributeScores": {}}
        for wanted, position in analysis.wanted:
            value = self._attributes.score(wanted.name, summary[position])
            if wanted.threshold is not None and value < wanted.threshold:
                continue
            result["attributeScores"][wanted.name] = {
                "spanScores": [
                    {
                        "begin": span.begin,
                        "end": span.end,
                        "score": _score(
                            self._attributes.score(wanted.name, scores[span.text][position])
                        ),
                    }
                    for span in analysis.spans
                ],
                "summaryScore": _score(value),
            }
        result["languages"] = self._languages.of_response(request, analysis.detected)
        if analysis.detected:
            result["detectedLanguages"] = list(analysis.detected)
        if request.client_token is not None:
            result["clientToken"] = request.client_token
        return result


def _score(value: float) -> dict[str, Any]:
    return {"value": value, "type": "PROBABILITY"}
