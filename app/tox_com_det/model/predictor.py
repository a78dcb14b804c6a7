"""From texts to scores: tokens, their vectors, the head."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tox_com_det.model.encode import TextEncoder
from tox_com_det.model.head import Head
from tox_com_det.model.manifest import Manifest
from tox_com_det.store.vectors import Vectors

Lookup = Callable[[Iterable[str]], dict[str, bytes]]


@dataclass(frozen=True)
class Prediction:
    """Scores of one text, in the order of the manifest's labels, and what became of its words.

    `known` and `unknown` count tokens; `used` counts the positions of the sequence that are not
    padding, so words cut off at its end are in `known` but not in `used`.
    """

    scores: tuple[float, ...]
    known: int
    unknown: int
    used: int


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
            DatabaseUnavailable, EmbeddingNotReady: vectors are missing.
            HeadError: a score is not a number.
        """
        return self._predict(texts, self.vectors.lookup)

    def known_answer_problem(self) -> str | None:
        """Words for the first known answer that does not come out, straight from the database.

        Raises:
            DatabaseUnavailable, EmbeddingNotReady, HeadError: see `predict`.
        """
        answers = self.manifest.known_answers
        texts = [case.text for case in answers.cases]
        predictions = self._predict(texts, self.vectors.lookup_uncached)
        for number, (case, prediction) in enumerate(zip(answers.cases, predictions, strict=True)):
            for label, wanted, score in zip(
                self.manifest.labels, case.scores, prediction.scores, strict=True
            ):
                if abs(score - wanted) > answers.tolerance:
                    return (
                        f"known answer {number}: {label} is {score:.6f}, wanted {wanted:.6f}"
                        f" within {answers.tolerance:g}"
                    )
        return None

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
