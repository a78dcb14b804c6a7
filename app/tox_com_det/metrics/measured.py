"""Predictor, head and vectors that measure themselves; what they return stays the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tox_com_det.metrics.definitions import Metrics
from tox_com_det.model.encode import Inputs
from tox_com_det.model.head import Head
from tox_com_det.model.manifest import Manifest
from tox_com_det.model.predictor import Prediction, Predictor
from tox_com_det.model.usable_words import UsableWords
from tox_com_det.store.vectors import Vectors

__all__ = ["MeasuredHead", "MeasuredPredictor", "MeasuredVectors", "begin_request"]


@dataclass
class Spent:
    """What a request has spent so far.

    Attributes:
        tokens, database, head, rest: seconds in this stage.
        is_request: whether words were looked up for a request that is not scored yet.
        looked_up: different words whose vectors were wanted.
        read: those of them that were not cached.
    """

    tokens: float = 0.0
    database: float = 0.0
    head: float = 0.0
    rest: float = 0.0
    looked_up: int = 0
    read: int = 0
    is_request: bool = False


# Of the running request. One object in every copy of its context, so that the threads that work for
# the request add to the same one.
_SPENT: ContextVar[Spent] = ContextVar("spent")


def begin_request() -> None:
    """Measure what this context does from now on."""
    _SPENT.set(Spent())


def _spent() -> Spent:
    """Of the running request; outside of one, such as in a test, of nobody."""
    return _SPENT.get(None) or Spent()


class MeasuredHead(Head):
    """A head that adds the time of its runs."""

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """See `Head.run`."""
        began = time.perf_counter()
        try:
            return super().run(inputs)
        finally:
            _spent().head += time.perf_counter() - began


class MeasuredVectors(Vectors):
    """Vectors that add the time of their lookups, and their words."""

    def lookup(self, words: Iterable[str]) -> dict[str, bytes]:
        """See `Vectors.lookup`."""
        began = time.perf_counter()
        different = dict.fromkeys(words)
        _spent().looked_up += len(different)
        try:
            return super().lookup(different)
        finally:
            _spent().database += time.perf_counter() - began

    def _read(self, words: list[str]) -> dict[str, bytes]:
        _spent().read += len(words)
        return super()._read(words)


class MeasuredPredictor(Predictor):
    """A predictor whose predictions are counted; golden outputs are not."""

    def __init__(
        self,
        manifest: Manifest,
        head: MeasuredHead,
        vectors: MeasuredVectors,
        rest: Callable[[], None],
        metrics: Metrics,
    ) -> None:
        def measured_rest() -> None:
            began = time.perf_counter()
            rest()
            _spent().rest += time.perf_counter() - began

        super().__init__(manifest, head, vectors, measured_rest)
        self._metrics = metrics

    def look_up(self, texts: Sequence[str], max_unknown: int | None = None) -> UsableWords:
        """See `Predictor.look_up`. Begins a request."""
        spent = _spent()
        spent.database = spent.head = spent.rest = 0.0
        spent.looked_up = spent.read = 0
        began = time.perf_counter()
        words = super().look_up(texts, max_unknown)
        spent.tokens = time.perf_counter() - began - spent.database - spent.rest
        spent.is_request = True
        return words

    def score(self, words: UsableWords) -> list[Prediction]:
        """See `Predictor.score`. Ends a request; golden outputs begin none."""
        spent = _spent()
        elsewhere = spent.head + spent.rest
        began = time.perf_counter()
        predictions = super().score(words)
        total = time.perf_counter() - began
        if spent.is_request:
            spent.is_request = False
            spent.tokens += total - (spent.head + spent.rest - elsewhere)
            # A copy: another text of the same request may begin anew.
            self._metrics.later.put(partial(self._count, replace(spent), predictions))
        return predictions

    def _count(self, spent: Spent, predictions: Sequence[Prediction]) -> None:
        metrics = self._metrics
        for stage, histogram in metrics.stages.items():
            histogram.observe(getattr(spent, stage))
        metrics.read.inc(spent.read)
        metrics.cached.inc(spent.looked_up - spent.read)
        metrics.known.inc(sum(one.known for one in predictions))
        metrics.unknown.inc(sum(one.unknown for one in predictions))
        for one in predictions:
            for histogram, score in zip(metrics.scores, one.scores, strict=True):
                histogram.observe(score)
