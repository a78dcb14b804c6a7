"""Answers to analyze requests: the spans of a comment, and of several comments, in one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tox_com_det.perspective.attributes import Attributes
from tox_com_det.perspective.errors import GoogleError, invalid
from tox_com_det.perspective.messages import AnalyzeRequest, SuggestRequest, Wanted
from tox_com_det.perspective.settings import PerspectiveSettings
from tox_com_det.perspective.spans import Span, sentences, whole

# Of one comment; with more sentences, neighbours share a span.
MOST_SPANS = 128
_SHOWN = 64


@dataclass(frozen=True)
class Analysis:
    """What one request needs: the scores of its whole text, the first of its spans or not."""

    request: AnalyzeRequest
    wanted: tuple[tuple[Wanted, int], ...]
    spans: tuple[Span, ...]

    @property
    def texts(self) -> list[str]:
        """The texts to score, each once."""
        return list(dict.fromkeys([self.request.text, *(span.text for span in self.spans)]))


class Scorer:
    """The API for one model, without HTTP."""

    def __init__(self, attributes: Attributes, settings: PerspectiveSettings) -> None:
        self._attributes = attributes
        self._settings = settings

    def plan(self, request: AnalyzeRequest) -> Analysis:
        """Check what is requested.

        Raises:
            GoogleError: 400, an attribute, a score type or a language that the model does not have.
        """
        drop = request.drop_unsupported or self._settings.drop_unsupported
        wanted = []
        for one in request.wanted:
            try:
                wanted.append((one, self._position(one, request.languages)))
            except GoogleError:
                if not drop:
                    raise
        text = request.text
        spans = sentences(text, MOST_SPANS) if request.by_sentence else [whole(text)]
        return Analysis(request, tuple(wanted), tuple(spans))

    def _position(self, wanted: Wanted, languages: Sequence[str]) -> int:
        name = wanted.name[:_SHOWN]
        position = self._attributes.position(wanted.name)
        if position is None:
            raise invalid(f"Unknown requested attribute: {name}")
        if wanted.score_type != "PROBABILITY":
            raise invalid(
                f"Requested score type {wanted.score_type[:_SHOWN]} is not supported by attribute"
                f" {name}"
            )
        foreign = [one for one in languages if not self._reads(one)]
        if foreign:
            raise invalid(
                f"Attribute {name} does not support request languages: "
                + ", ".join(one[:_SHOWN] for one in foreign),
                "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
                languageNotSupportedByAttributeError={
                    "requestedLanguages": list(languages),
                    "attribute": name,
                },
            )
        return position

    def _reads(self, language: str) -> bool:
        known = [one.lower() for one in self._settings.languages]
        language = language.lower().replace("_", "-")
        return language in known or language.split("-", 1)[0] in known

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
        result["languages"] = list(request.languages or self._settings.languages[:1])
        if request.client_token is not None:
            result["clientToken"] = request.client_token
        return result


def _score(value: float) -> dict[str, Any]:
    return {"value": value, "type": "PROBABILITY"}


def suggested(request: SuggestRequest) -> dict[str, Any]:
    """The SuggestCommentScoreResponse."""
    result: dict[str, Any] = {}
    if request.client_token is not None:
        result["clientToken"] = request.client_token
    if request.languages:
        result["requestedLanguages"] = list(request.languages)
    return result
