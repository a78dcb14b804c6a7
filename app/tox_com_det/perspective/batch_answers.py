"""The requests of a batch, answered together: in turns, and with a bounded response."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple
from urllib.parse import unquote

from tox_com_det.perspective.batch import HEAD_BYTES, MOST_RESPONSE_BYTES, Part, PartResponse
from tox_com_det.perspective.errors import GoogleError
from tox_com_det.perspective.failures import as_google_error
from tox_com_det.perspective.lenient_json import PartsUnpacker
from tox_com_det.perspective.query import Format, is_pretty, query_of, read_format
from tox_com_det.perspective.scorer import Analysis
from tox_com_det.perspective.service import Plan, Service, operation_of
from tox_com_det.suggestions.document import Suggestion

# Scores are those of spans, each for all attributes of their request.
MOST_SCORES = 50_000
_MOST_TEXTS = 4000
# What is scored and written in one turn. As many suggestions are stored in one.
_TEXTS_PER_TURN = 64
_SCORES_PER_TURN = 2000

_TOO_MANY = GoogleError(429, "Too many sentences in one batch: send fewer requests")
_TOO_LARGE = GoogleError(429, "The response to this batch is too large: send fewer requests")
_TOO_LARGE_BODY = Format(None, pretty=False).dump_error(_TOO_LARGE)
# Of `prettyPrint`: a batch is read by programs, and has half the size without.
_PRETTY = "false"

Turn = Callable[[], AbstractContextManager[None]]


class _Analysis(NamedTuple):
    place: int
    plan: Analysis


class _Suggestion(NamedTuple):
    place: int
    plan: Suggestion


class BatchAnswers:
    """The responses to one batch. Used once, by one thread."""

    def __init__(
        self, service: Service, parts: Sequence[Part], turn: Turn, rest: Callable[[], None]
    ) -> None:
        """The responses to some requests.

        Args:
            service: the API.
            parts: the requests.
            turn: waits for a turn to read the parts, or to answer a bounded number of them.
            rest: called within a turn between two of them.
        """
        self._service = service
        self._parts = parts
        self._turn = turn
        self._rest = rest
        self._responses: dict[int, PartResponse] = {}
        heads = sum(HEAD_BYTES + len(part.content_id) for part in parts)
        # The rest of them may have this error.
        self._left = MOST_RESPONSE_BYTES - heads - len(parts) * len(_TOO_LARGE_BODY)

    def all(self, admit: Callable[[Part], None]) -> list[PartResponse]:
        """The responses, in order; a part that fails has an error of its own.

        Args:
            admit: counts a request, or raises AccessRefused.

        Raises what `turn` raises before the first part is counted.
        """
        with self._turn():
            analyses, suggestions = self._begin(admit)
        texts, scores = _MOST_TEXTS, MOST_SCORES
        for group in _groups(analyses):
            texts -= sum(len(one.plan.texts) for one in group)
            scores -= sum(one.plan.scores for one in group)
            if texts < 0 or scores < 0:
                self._fail(group, _TOO_MANY)
            else:
                self._score(group)
        for begin in range(0, len(suggestions), _TEXTS_PER_TURN):
            self._store(suggestions[begin : begin + _TEXTS_PER_TURN])
        return [self._responses[place] for place in range(len(self._parts))]

    def _begin(self, admit: Callable[[Part], None]) -> tuple[list[_Analysis], list[_Suggestion]]:
        """Read all parts; those that need no more are answered."""
        unpack_part = PartsUnpacker(self._service.max_body_bytes)
        analyses, suggestions = [], []
        for place, part in enumerate(self._parts):
            self._rest()
            plan = self._plan(part, admit, unpack_part)
            if isinstance(plan, Analysis):
                analyses.append(_Analysis(place, plan))
            elif isinstance(plan, GoogleError):
                self._respond(place, plan)
            elif plan.document is None:
                self._respond(place, plan.answer)
            else:
                suggestions.append(_Suggestion(place, plan))
        return analyses, suggestions

    def _plan(
        self, part: Part, admit: Callable[[Part], None], unpack_part: PartsUnpacker
    ) -> Plan | GoogleError:
        try:
            if part.problem is not None:
                raise part.problem
            target, _, query = part.target.partition("?")
            read_format(query_of(query))
            # With or without the server's name.
            path = re.sub(r"\Ahttps?://[^/]*", "", target)
            operation = operation_of(re.sub("/+", "/", unquote(path)).strip("/"), part.method)
            admit(part)
            body = unpack_part(part.body, part.header("Content-Encoding"))
            return self._service.plan(operation, body)
        except Exception as error:
            return as_google_error(error)

    def _score(self, group: Sequence[_Analysis]) -> None:
        if self._left <= 0:
            return self._fail(group, _TOO_LARGE)
        texts = list(dict.fromkeys(text for one in group for text in one.plan.texts))
        try:
            with self._turn():
                scores = self._service.score(texts)
                for place, plan in group:
                    self._rest()
                    self._respond(place, self._service.scorer.answer(plan, scores))
            return None
        except Exception as error:
            found = as_google_error(error)
        if len(group) == 1 or found.code != 400:
            return self._fail(group, found)
        # One of them is the cause: each for itself.
        for one in group:
            self._score([one])
        return None

    def _store(self, group: Sequence[_Suggestion]) -> None:
        if self._left <= 0:
            return self._fail(group, _TOO_LARGE)
        try:
            with self._turn():
                self._service.store([one.plan for one in group])
                for place, plan in group:
                    self._respond(place, plan.answer)
            return None
        except Exception as error:
            return self._fail(group, as_google_error(error))

    def _fail(self, group: Iterable[_Analysis | _Suggestion], error: GoogleError) -> None:
        for one in group:
            self._respond(one.place, error)

    def _respond(self, place: int, content: dict[str, Any] | GoogleError) -> None:
        part = self._parts[place]
        query = query_of(part.target.partition("?")[2])
        if isinstance(content, GoogleError):
            status, body = content.code, Format(None, is_pretty(query, _PRETTY)).dump_error(content)
        else:
            status, body = 200, read_format(query, _PRETTY).dump(content)
        if self._left < len(body):
            # Nothing behind it fits either: what is small would only be the more work.
            self._left = 0
            status, body = _TOO_LARGE.code, _TOO_LARGE_BODY
        self._left -= len(body) if self._left else 0
        self._responses[place] = PartResponse(part.content_id, status, body)


def _groups(analyses: Iterable[_Analysis]) -> Iterable[list[_Analysis]]:
    """Neighbours together, as many as one turn takes, and one at least."""
    group: list[_Analysis] = []
    texts = scores = 0
    for one in analyses:
        texts += len(one.plan.texts)
        scores += one.plan.scores
        if group and (texts > _TEXTS_PER_TURN or scores > _SCORES_PER_TURN):
            yield group
            group, texts, scores = [], len(one.plan.texts), one.plan.scores
        group.append(one)
    if group:
        yield group
