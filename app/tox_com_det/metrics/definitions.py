"""The metrics of one process: their names, labels and buckets.

Names and units follow Prometheus' conventions. No label holds what a client sent: a route is one of
the app's own, so their number is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from tox_com_det.metrics.expected import BOUNDS
from tox_com_det.metrics.later import Later

__all__ = ["Metrics"]

PREFIX = "tox_com_det"
# A warm request takes about a millisecond, one that waits for the database up to 2 s.
# fmt: off
SECONDS = (
    0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1, 2, 5, 10,
)
# fmt: on
STAGES = ("tokens", "database", "head", "rest")
# Which value of several workers is shown.
OfWorkers = Literal["livesum", "livemostrecent"]


class Metrics:
    """The metrics of one app, each with the children that are known from the start."""

    def __init__(self, labels: Iterable[str], *, is_shared: bool = False) -> None:
        """Metrics for a model with these labels; shared: other workers' are shown with them."""
        self.registry = CollectorRegistry()
        # What requests count; to be caught up before the registry is read. Another worker, which
        # may be asked next, cannot do that.
        self.later = Later(1) if is_shared else Later()
        # Its memory, processor time, open files and start.
        ProcessCollector(namespace=PREFIX, registry=self.registry)
        self.requests = Counter(
            f"{PREFIX}_requests",
            "Requests that the service answered.",
            ("route", "status"),
            registry=self.registry,
        )
        self.seconds = self._histogram(
            "request_seconds", "Time from a request's arrival at the service.", ("route",), SECONDS
        )
        stages = self._histogram(
            "stage_seconds",
            "Time of a request in one stage; rest: it lets shorter requests go first.",
            ("stage",),
            SECONDS,
        )
        self.stages = {name: stages.labels(name) for name in STAGES}
        scores = self._histogram("score", "Scores that were answered.", ("label",), BOUNDS)
        self.scores = [scores.labels(label) for label in labels]
        words = Counter(
            f"{PREFIX}_words",
            "Words of texts that were scored.",
            ("in_vocabulary",),
            registry=self.registry,
        )
        self.known, self.unknown = words.labels("yes"), words.labels("no")
        lookups = Counter(
            f"{PREFIX}_word_lookups",
            "Different words of a request, by where their vector came from.",
            ("source",),
            registry=self.registry,
        )
        self.cached, self.read = lookups.labels("cache"), lookups.labels("database")
        self.held = self._gauge(
            "requests_held", "Requests that run, or wait for a turn.", "state", of="livesum"
        )
        self.cache = self._gauge(
            "cached_words", "Words in the cache.", "in_vocabulary", of="livesum"
        )
        self.info = self._gauge("info", "Always 1.", "model", "app", "slot")
        self._expected = self._gauge(
            "expected_score_ratio",
            "Share of the scores up to `le` in the sample that the bundle was built with.",
            "label",
            "le",
        )
        self.facts = self._gauge(
            "last_timestamp_seconds", "When something happened last on this server.", "event"
        )
        self.certificate = self._gauge(
            "certificate_end_timestamp_seconds", "When the certificate ends.", "server"
        )

    def expect(self, shares: Mapping[str, Sequence[float]]) -> None:
        """Tell the shares that `expected_shares` returns."""
        for label, values in shares.items():
            for bound, share in zip(BOUNDS, values, strict=True):
                self._expected.labels(label, str(bound)).set(share)

    def _histogram(
        self, name: str, words: str, labels: tuple[str, ...], buckets: tuple[float, ...]
    ) -> Histogram:
        return Histogram(f"{PREFIX}_{name}", words, labels, buckets=buckets, registry=self.registry)

    def _gauge(
        self, name: str, words: str, *labels: str, of: OfWorkers = "livemostrecent"
    ) -> Gauge:
        return Gauge(
            f"{PREFIX}_{name}", words, labels, registry=self.registry, multiprocess_mode=of
        )
