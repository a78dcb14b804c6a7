"""One page of metrics where several workers answer: any of them is asked, and sums up all.

prometheus_client keeps each worker's values in files of a directory that all of them share, if the
environment names it before that library is imported: `toxctl run-slot` does so.
"""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

__all__ = ["page"]


def page(registry: CollectorRegistry, shared: Path | None) -> bytes:
    """The metrics in Prometheus' text format: this worker's, or those of all workers together.

    What a worker that ended had counted stays counted; what it held and cached is forgotten.
    """
    if shared is None:
        return generate_latest(registry)
    for file in shared.glob("gauge_live*.db"):
        pid = file.stem.rpartition("_")[2]
        if not _is_alive(int(pid)):
            mark_process_dead(pid, str(shared))  # type: ignore[no-untyped-call]  # the library's
    together = CollectorRegistry()
    MultiProcessCollector(together, str(shared))  # type: ignore[no-untyped-call]  # the library's
    return generate_latest(together)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
