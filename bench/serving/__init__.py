"""Serving, side by side: this service, its parts, and other ways to serve the same model.

`python -m bench.serving` measures all of them in one run, interleaved, and writes
docs/performance.md. Loopback only; every load ends by itself, and only processes that the bench has
started are ended.
"""


class BenchError(Exception):
    """A system does not start, or returns something else than the others. One line."""
