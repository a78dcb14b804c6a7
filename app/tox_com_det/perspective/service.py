"""The API without HTTP: its operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tox_com_det.model.predictor import Predictor
from tox_com_det.perspective.attributes import Attributes
from tox_com_det.perspective.detector import Detector
from tox_com_det.perspective.errors import GoogleError
from tox_com_det.perspective.languages import Languages
from tox_com_det.perspective.lenient_json import parse, unpack
from tox_com_det.perspective.messages import SuggestRequest, read_analyze, read_suggest
from tox_com_det.perspective.scorer import Analysis, Scorer
from tox_com_det.perspective.settings import PerspectiveSettings
from tox_com_det.suggestions.document import Document, Suggestion, document_of
from tox_com_det.suggestions.store import SuggestionStore

# What one request gets: scores of its own texts, or an answer once it is stored.
Plan = Analysis | Suggestion
Scores = Mapping[str, Sequence[float]]


class Service:
    """The API of one model. Safe to use from several threads.

    Attributes:
        scorer: writes the answers to analyze requests.
        max_body_bytes: of an unpacked body.
    """

    def __init__(
        self,
        settings: PerspectiveSettings,
        predictor: Predictor,
        max_body_bytes: int,
        max_unknown_words: int,
        suggestions: SuggestionStore | None,
    ) -> None:
        """The API of the predictor's model.

        Args:
            settings: of the API.
            predictor: the model.
            max_body_bytes: of an unpacked body.
            max_unknown_words: that are scored together.
            suggestions: where they are stored; None: they are acknowledged only.
        """
        self._settings = settings
        self._suggestions = suggestions
        self._predictor = predictor
        self.max_body_bytes = max_body_bytes
        self._max_unknown_words = max_unknown_words
        manifest = predictor.manifest
        attributes = Attributes(manifest.labels, settings.labels, manifest.score_maps)
        languages = Languages(
            settings.languages or manifest.languages,
            Detector() if settings.detect_languages else None,
            settings.refuse_other_languages,
        )
        self.scorer = Scorer(attributes, languages, settings)

    def answer(self, operation: str, body: bytes, encoding: str) -> dict[str, Any]:
        """The response's content.

        Raises GoogleError, what the predictor raises, and SuggestionsUnavailable.
        """
        plan = self.plan(operation, unpack(body, encoding, self.max_body_bytes))
        if isinstance(plan, Analysis):
            return self.scorer.answer(plan, self.score(plan.texts))
        self.store([plan])
        return plan.answer

    def plan(self, operation: str, body: bytes) -> Plan:
        """What an unpacked body asks for. Raises GoogleError."""
        data = parse(body)
        if operation == "suggestscore":
            return self._suggestion(read_suggest(data, self._settings.max_bytes))
        return self.scorer.plan(read_analyze(data, self._settings.max_bytes))

    def _suggestion(self, request: SuggestRequest) -> Suggestion:
        answer, detected = self.scorer.suggested(request)
        if self._suggestions is None or request.do_not_store:
            return Suggestion(answer, None)
        return Suggestion(answer, document_of(request, detected, datetime.now(UTC)))

    def store(self, suggestions: Sequence[Suggestion]) -> None:
        """Store those that are to be stored. Raises SuggestionsUnavailable."""
        documents: list[Document] = [one.document for one in suggestions if one.document]
        if self._suggestions is not None and documents:
            self._suggestions.add(documents)

    def score(self, texts: Sequence[str]) -> Scores:
        """The scores of texts, each once. Raises what `Predictor.predict` raises."""
        predictions = self._predictor.predict(texts, self._max_unknown_words)
        return {text: one.scores for text, one in zip(texts, predictions, strict=True)}


def operation_of(path: str, method: str) -> str:
    """The operation at a path without a slash in front: `analyze` or `suggestscore`.

    Raises:
        GoogleError: 404 another path, 405 another method than POST.
    """
    operations = {
        "v1alpha1/comments:analyze": "analyze",
        "v1alpha1/comments:suggestscore": "suggestscore",
    }
    if path not in operations:
        raise GoogleError(404, "Not found: use POST /v1alpha1/comments:analyze")
    require_method(method, "POST")
    return operations[path]


def require_method(method: str, *allowed: str) -> None:
    """Raise GoogleError: 405, the method is not allowed."""
    if method not in allowed:
        headers = {"Allow": ", ".join(allowed)}
        raise GoogleError(405, f"Method not allowed: use {allowed[0]}", headers=headers)
