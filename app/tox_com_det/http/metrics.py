"""`GET /metrics`, and what each request adds to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from flask import Flask, Response, g, request
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram

from tox_com_det.http.direct import BEGAN
from tox_com_det.http.turns import Turns
from tox_com_det.metrics.definitions import Metrics
from tox_com_det.metrics.expected import expected_shares
from tox_com_det.metrics.facts import CERTIFICATE, EVENTS, read_facts
from tox_com_det.metrics.measured import begin_request
from tox_com_det.metrics.workers import page
from tox_com_det.model.manifest import Manifest
from tox_com_det.settings import Settings
from tox_com_det.store.vectors import Vectors
from tox_com_det.version import __version__

__all__ = ["add_metrics"]

# A route, a status, and seconds unless nobody knows when the request began.
Count = Callable[[str, int, float | None], None]
# What no route takes.
OTHER = "other"


def add_metrics(
    app: Flask,
    metrics: Metrics,
    settings: Settings,
    manifest: Manifest,
    vectors: Vectors,
    turns: Turns,
) -> Count:
    """Add the route, which nginx opens to few (`nginx_metrics_allowed`); count every request.

    Returns what counts a request that Flask does not see: its route, status and seconds.
    """
    metrics.info.labels(manifest.model_version, __version__, settings.slot).set(1)
    metrics.expect(expected_shares(manifest.built_with, manifest.labels))
    # Their lookup by label takes longer than counting.
    answered: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def count(route: str, status: int, seconds: float | None) -> None:
        metrics.later.put(partial(count_now, route, status, seconds))

    def count_now(route: str, status: int, seconds: float | None) -> None:
        kind = route, status
        children = answered.get(kind)
        if children is None:
            children = metrics.requests.labels(*kind), metrics.seconds.labels(route)
            answered[kind] = children
        children[0].inc()
        if seconds is not None:
            children[1].observe(seconds)
        if settings.shared_directory is not None:
            tell_state()

    def tell_state() -> None:
        running, waiting = turns.held()
        metrics.held.labels("running").set(running)
        metrics.held.labels("waiting").set(waiting)
        known, unknown = vectors.sizes()
        metrics.cache.labels("yes").set(known)
        metrics.cache.labels("no").set(unknown)

    @app.before_request
    def begin() -> None:
        begin_request()
        g.began = request.environ.get(BEGAN, time.perf_counter())

    @app.after_request
    def count_response(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule is not None else OTHER
        began = g.get("began")
        seconds = None if began is None else time.perf_counter() - began
        count(route, response.status_code, seconds)
        return response

    @app.get("/metrics")
    def show() -> Response:
        metrics.later.catch_up()
        tell_state()
        facts = read_facts(settings.facts_file)
        for name, event in EVENTS.items():
            if name in facts:
                metrics.facts.labels(event).set(facts[name])
        if CERTIFICATE in facts:
            metrics.certificate.labels("nginx").set(facts[CERTIFICATE])
        shown = page(metrics.registry, settings.shared_directory)
        return Response(shown, content_type=CONTENT_TYPE_LATEST)

    return count
