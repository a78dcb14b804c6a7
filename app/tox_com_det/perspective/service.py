"""The API without HTTP: operations, and the requests of a batch scored together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from tox_com_det.model.predictor import Predictor
from tox_com_det.perspective.attributes import Attributes
from tox_com_det.perspective.batch import Part, PartResponse
from tox_com_det.perspective.detector import Detector
from tox_com_det.perspective.errors import GoogleError
from tox_com_det.perspective.failures import as_google_error
from tox_com_det.perspective.languages import Languages
from tox_com_det.perspective.lenient_json import PartsUnpacker, parse, unpack
from tox_com_det.perspective.messages import SuggestRequest, read_analyze, read_suggest
from tox_com_det.perspective.query import Format, is_pretty, query_of, read_format
from tox_com_det.perspective.scorer import Analysis, Scorer
from tox_com_det.perspective.settings import PerspectiveSettings
from tox_com_det.suggestions.document import Document, Suggestion, document_of
from tox_com_det.suggestions.store import SuggestionStore

# Texts that are scored in one turn, and in all turns of a batch. As many suggestions are stored in
# one turn. A batch's scores are those of its spans, each for all attributes of their request.
_TEXTS_PER_TURN = 64
_MOST_TEXTS = 4000
MOST_SCORES = 100_000

# What one request gets: scores of its own texts, an answer once it is stored, or an error.
Plan = Analysis | Suggestion | GoogleError
Scores = Mapping[str, Sequence[float]]


class Service:
    """The API of one model. Safe to use from several threads."""

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
        self._max_body_bytes = max_body_bytes
        self._max_unknown_words = max_unknown_words
        manifest = predictor.manifest
        attributes = Attributes(manifest.labels, settings.labels, manifest.score_maps)
        languages = Languages(
            settings.languages or manifest.languages,
            Detector() if settings.detect_languages else None,
            settings.refuse_other_languages,
        )
        self._scorer = Scorer(attributes, languages, settings)

    def answer(self, operation: str, body: bytes, encoding: str) -> dict[str, Any]:
        """The response's content.

        Raises GoogleError, what the predictor raises, and SuggestionsUnavailable.
        """
        plan = self._plan(operation, unpack(body, encoding, self._max_body_bytes))
        if isinstance(plan, Analysis):
            return self._scorer.answer(plan, self._score(plan.texts))
        self._store([plan])
        return plan.answer

    def answer_parts(
        self,
        parts: Sequence[Part],
        turn: Callable[[], AbstractContextManager[None]],
        admit: Callable[[Part], None],
    ) -> list[PartResponse]:
        """The responses to a batch, in order; a part that fails has an error of its own.

        Args:
            parts: the requests.
            turn: waits for a turn to read the parts, to score a bounded number of texts, or to
                store suggestions.
            admit: counts a request, or raises AccessRefused.

        Raises what `turn` raises before the first part is counted.
        """
        unpack_part = PartsUnpacker(self._max_body_bytes)
        with turn():
            plans = [self._plan_part(part, admit, unpack_part) for part in parts]
        scores = self._score_together([one for one in plans if isinstance(one, Analysis)], turn)
        unstored = self._store_together([one for one in plans if isinstance(one, Suggestion)], turn)
        return [
            self._respond(part, unstored.get(id(plan), plan), scores)
            for part, plan in zip(parts, plans, strict=True)
        ]

    def _plan(self, operation: str, body: bytes) -> Analysis | Suggestion:
        data = parse(body)
        if operation == "suggestscore":
            return self._suggestion(read_suggest(data, self._settings.max_bytes))
        return self._scorer.plan(read_analyze(data, self._settings.max_bytes))

    def _suggestion(self, request: SuggestRequest) -> Suggestion:
        answer, detected = self._scorer.suggested(request)
        if self._suggestions is None or request.do_not_store:
            return Suggestion(answer, None)
        return Suggestion(answer, document_of(request, detected, datetime.now(UTC)))

    def _store(self, suggestions: Sequence[Suggestion]) -> None:
        documents: list[Document] = [one.document for one in suggestions if one.document]
        if self._suggestions is not None and documents:
            self._suggestions.add(documents)

    def _store_together(
        self, suggestions: Sequence[Suggestion], turn: Callable[[], AbstractContextManager[None]]
    ) -> dict[int, GoogleError]:
        """The errors by the suggestion's id; without a document nothing waits for a turn."""
        errors: dict[int, GoogleError] = {}
        waiting = [one for one in suggestions if one.document]
        for begin in range(0, len(waiting), _TEXTS_PER_TURN):
            group = waiting[begin : begin + _TEXTS_PER_TURN]
            try:
                with turn():
                    self._store(group)
            except Exception as error:
                errors.update(dict.fromkeys(map(id, group), as_google_error(error)))
        return errors

    def _plan_part(
        self, part: Part, admit: Callable[[Part], None], unpack_part: PartsUnpacker
    ) -> Plan:
        try:
            if part.problem is not None:
                raise part.problem
            target, _, query = part.target.partition("?")
            read_format(query_of(query))
            # With or without the server's name.
            path = re.sub(r"\Ahttps?://[^/]*", "", target)
            operation = operation_of(re.sub("/+", "/", unquote(path)).strip("/"), part.method)
            admit(part)
            return self._plan(operation, unpack_part(part.body, part.header("Content-Encoding")))
        except Exception as error:
            return as_google_error(error)

    def _respond(
        self, part: Part, plan: Plan, scores: Mapping[int, Scores | GoogleError]
    ) -> PartResponse:
        query = query_of(part.target.partition("?")[2])
        if isinstance(plan, Analysis):
            found = scores[id(plan)]
            content = found if isinstance(found, GoogleError) else self._scorer.answer(plan, found)
        else:
            content = plan.answer if isinstance(plan, Suggestion) else plan
        if isinstance(content, GoogleError):
            body = Format(None, is_pretty(query)).dump_error(content)
            return PartResponse(part.content_id, content.code, body)
        return PartResponse(part.content_id, 200, read_format(query).dump(content))

    def _score(self, texts: Sequence[str]) -> Scores:
        predictions = self._predictor.predict(texts, self._max_unknown_words)
        return {text: one.scores for text, one in zip(texts, predictions, strict=True)}

    def _score_together(
        self, analyses: Sequence[Analysis], turn: Callable[[], AbstractContextManager[None]]
    ) -> dict[int, Scores | GoogleError]:
        """Scores by the analysis' id."""
        results: dict[int, Scores | GoogleError] = {}
        left, scores_left = _MOST_TEXTS, MOST_SCORES
        for group in _groups(analyses, _TEXTS_PER_TURN):
            left -= sum(len(one.texts) for one in group)
            scores_left -= sum(len(one.spans) * len(one.wanted) for one in group)
            if left < 0 or scores_left < 0:
                found = GoogleError(429, "Too many sentences in one batch: send fewer requests")
                results.update({id(one): found for one in group})
                continue
            scored = self._score_group(group, turn)
            if len(group) > 1 and isinstance(scored, GoogleError) and scored.code == 400:
                # One of them is the cause: each for itself.
                results.update({id(one): self._score_group([one], turn) for one in group})
            else:
                results.update({id(one): scored for one in group})
        return results

    def _score_group(
        self, group: Sequence[Analysis], turn: Callable[[], AbstractContextManager[None]]
    ) -> Scores | GoogleError:
        texts = list(dict.fromkeys(text for one in group for text in one.texts))
        try:
            with turn():
                return self._score(texts)
        except Exception as error:
            return as_google_error(error)


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


def _groups(analyses: Iterable[Analysis], texts: int) -> Iterable[list[Analysis]]:
    """Neighbours together, up to a number of texts."""
    group: list[Analysis] = []
    size = 0
    for analysis in analyses:
        count = len(analysis.texts)
        if group and size + count > texts:
            yield group
            group, size = [], 0
        group.append(analysis)
        size += count
    if group:
        yield group
