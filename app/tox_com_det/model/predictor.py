"""From texts to scores: tokens, vectors, head."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tox_com_det.model.encode import TextEncoder
from tox_com_det.model.golden import largest_difference, mismatch
from tox_com_det.model.head import Head
from tox_com_det.model.manifest import Manifest
from tox_com_det.store.vectors import Vectors

Lookup = Callable[[Iterable[str]], dict[str, bytes]]


@dataclass(frozen=True)
class Prediction:
    """Scores of one text, in the order of the manifest's labels, and counts of its words.

    `known` and `unknown` count tokens; `used` counts the positions of the sequence that are not
    padding: words that were cut off are in `known`, but not in `used`.
    """

    scores: tuple[float, ...]
    known: int
    unknown: int
    used: int


@dataclass(frozen=True)
class GoldenCheck:
    """Largest difference from the golden outputs; description of the first mismatch or ""."""

    largest: float
    problem: str


class Predictor:
    """One model: a manifest, its head and its vectors. Safe to use from several threads."""

    def __init__(self, manifest: Manifest, head: Head, vectors: Vectors) -> None:
        self.manifest = manifest
        self.vectors = vectors
        self._head = head
        self._encoder = TextEncoder.from_manifest(manifest, head.masked)

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """Predictions of `texts` in order, with at most one database lookup.

        Raises:
            DatabaseUnavailable, EmbeddingNotReady: vectors cannot be looked up.
            HeadError: a score is not a number.
        """
        return self._predict(texts, self.vectors.lookup)

    def check_golden_outputs(self) -> GoldenCheck:
        """Score the golden outputs' texts with rows from the database, not the cache; compare.

        Raises:
            DatabaseUnavailable, EmbeddingNotReady, HeadError: see `predict`.
        """
        golden, labels = self.manifest.golden_outputs, self.manifest.labels
        predictions = self._predict(
            [case.text for case in golden.cases], self.vectors.lookup_uncached
        )
        largest, problem = 0.0, ""
        for number, (case, prediction) in enumerate(zip(golden.cases, predictions, strict=True)):
            scores = dict(zip(labels, prediction.scores, strict=True))
            largest = max(largest, largest_difference(case.scores, labels, scores))
            wrong = mismatch(case.text, case.scores, labels, scores, golden.tolerance)
            if wrong and not problem:
                problem = f"golden output {number}: {wrong}"
        return GoldenCheck(largest, problem)

    def _predict(self, texts: Sequence[str], lookup: Lookup) -> list[Prediction]:
        if not texts:
            return []
        tokens = self._encoder.tokens(texts)
        rows = lookup(token for one in tokens for token in one)
        encoded = self._encoder.encode(tokens, rows)
        scores = self._head.run(encoded.inputs)
        return [
            Prediction(tuple(map(float, row)), *counts)
            for row, counts in zip(scores, encoded.counts, strict=True)
        ]
